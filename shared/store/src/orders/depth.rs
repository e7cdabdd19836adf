//! How full the queues are.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait, QueryFilter as _, QueryOrder as _, Statement};
use shopfloor_domain::{Name, Priority, Timestamp, order::OrderStatus};

use super::QueueDepth;
use crate::{
    Result, Store,
    entity::{project, queue},
    error::Doing as _,
    projects::pace,
    rows::{size, word},
};

const DOING: &str = "measuring the queues";

/// Each part is answered from the partial index of its state.
const DEPTH: &str = "
    SELECT queue, priority, status, count(*) AS count, 0 + 0 AS late, CAST(NULL AS BIGINT) AS oldest
    FROM work_orders WHERE status = 'claimed' GROUP BY queue, priority, status
    UNION ALL
    SELECT queue, priority, status, count(*), 0, NULL
    FROM work_orders WHERE status = 'parked' GROUP BY queue, priority, status
    UNION ALL
    SELECT queue, priority, status, count(*), 0, NULL
    FROM work_orders WHERE status = 'dead' AND requeued_as IS NULL GROUP BY queue, priority, status
    UNION ALL
    SELECT queue, priority, status, count(*), CASE WHEN run_at > $1 THEN 1 ELSE 0 END AS late, min(enqueued_at)
    FROM work_orders WHERE status = 'queued' GROUP BY queue, priority, status, late";

/// Depth per queue and priority. Every priority of every queue has a row.
///
/// # Errors
/// `Database`.
pub async fn depth(store: &Store, now: Timestamp) -> Result<Vec<QueueDepth>> {
    let db = store.read();
    let queues = queue::Entity::find().order_by_asc(queue::Column::Name).all(db).await.doing(DOING)?;
    let mut depths = BTreeMap::new();
    for row in &queues {
        let name: Name = word("queues.name", &row.name)?;
        for priority in Priority::ALL {
            depths.insert((name.clone(), *priority), empty(name.clone(), *priority));
        }
    }
    let statement = Statement::from_sql_and_values(db.get_database_backend(), DEPTH, [now.0.into()]);
    for row in db.query_all_raw(statement).await.doing(DOING)? {
        let text = |column| row.try_get::<String>("", column).doing(DOING);
        let queue: Name = word("work_orders.queue", &text("queue")?)?;
        let priority: Priority = word("work_orders.priority", &text("priority")?)?;
        let depth = depths.entry((queue.clone(), priority)).or_insert_with(|| empty(queue, priority));
        let count = size("work_orders", row.try_get("", "count").doing(DOING)?)?;
        match (word("work_orders.status", &text("status")?)?, row.try_get::<i32>("", "late").doing(DOING)?) {
            (OrderStatus::Claimed, _) => depth.claimed = count,
            (OrderStatus::Parked, _) => depth.parked = count,
            (OrderStatus::Dead, _) => depth.dead = count,
            (_, 0) => {
                depth.ready = count;
                depth.oldest_ready_at = row.try_get::<Option<i64>>("", "oldest").doing(DOING)?.map(Timestamp);
            }
            _ => depth.delayed = count,
        }
    }
    Ok(depths.into_values().collect())
}

fn empty(queue: Name, priority: Priority) -> QueueDepth {
    QueueDepth { queue, priority, ready: 0, delayed: 0, claimed: 0, parked: 0, dead: 0, oldest_ready_at: None }
}

/// When something becomes claimable by itself: the next delayed order is due, or a project that has used up its rate may
/// start orders again. `None` when only the bell can bring news.
///
/// # Errors
/// `Database`.
pub async fn next_due(store: &Store, now: Timestamp) -> Result<Option<Timestamp>> {
    const DOING: &str = "looking for the next delayed order";
    let sql = "SELECT run_at FROM work_orders WHERE status = 'queued' AND run_at > $1 ORDER BY run_at LIMIT 1";
    let db = store.read();
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [now.0.into()]);
    let row = db.query_one_raw(statement).await.doing(DOING)?;
    let due = row.map(|row| row.try_get("", "run_at").map(Timestamp)).transpose().doing(DOING)?;
    Ok([due, next_start(store, now).await?].into_iter().flatten().min())
}

/// When the first of the projects that have used up their rate may start orders again.
async fn next_start(store: &Store, now: Timestamp) -> Result<Option<Timestamp>> {
    use project::{Column, Entity};
    let spent = Entity::find().filter(Column::StartsSpentUntil.gt(now.0.saturating_mul(1000))).all(store.read());
    let mut next = None;
    for row in spent.await.doing("looking for the next start of projects with a rate")? {
        if let Some(pace) = pace(row.max_starts_per_minute)? {
            let at = pace.next(row.starts_spent_until);
            next = [next, (at > now).then_some(at)].into_iter().flatten().min();
        }
    }
    Ok(next)
}
