//! What keeps all due orders waiting, and for how long.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, Statement, prelude::Uuid};
use shopfloor_domain::{
    Capabilities, Name, Timestamp,
    order::OrderStatus,
    task::TaskStatus,
    why::{Facts, why},
};

use super::Crew;
use crate::{
    Result, Store, StoreError,
    entity::{project, queue},
    error::Doing as _,
    projects::pace,
    rows::{counter, word},
};

const DOING: &str = "finding out what keeps orders waiting";
/// Kinds of orders (by queue, project and needs) looked at, at most; the fullest ones.
const KINDS: i64 = 10_000;

/// Due orders by what may keep them, with the time they have waited of the last `$2` milliseconds.
const WAITING: &str = "
    SELECT queue, project_id, needs,
           CAST(sum(CASE WHEN $1 - run_at < $2 THEN $1 - run_at ELSE $2 END) AS BIGINT) AS waited
    FROM work_orders WHERE status = 'queued' AND run_at <= $1
    GROUP BY queue, project_id, needs ORDER BY waited DESC LIMIT $3";
const CLAIMED: &str =
    "SELECT project_id, count(*) AS claimed FROM work_orders WHERE status = 'claimed' GROUP BY project_id";

/// How long the orders that are due now have waited since `now - window`, summed up by what keeps them now:
/// [`shopfloor_domain::why::Reason::blocked_by`]. One consistent look; it reads every due order once.
///
/// # Errors
/// `Database`.
pub async fn blocked(store: &Store, window: Duration, now: Timestamp) -> Result<BTreeMap<&'static str, Duration>> {
    let db = store.snapshot(DOING).await?;
    let mut blocked = BTreeMap::new();
    let kinds = waiting(&db, window, now).await?;
    if kinds.is_empty() {
        return Ok(blocked);
    }
    let crew = Crew::load(&db).await?;
    let queues = queue::Entity::find().all(&db).await.doing(DOING)?;
    let paused: HashMap<String, bool> = queues.into_iter().map(|row| (row.name, row.paused_at.is_some())).collect();
    let projects = project::Entity::find().all(&db).await.doing(DOING)?;
    let projects: HashMap<Uuid, project::Model> = projects.into_iter().map(|row| (row.id, row)).collect();
    let claimed = claimed(&db).await?;
    for kind in kinds {
        let fleet = crew.fit_for(&kind.queue, &kind.needs);
        let project = projects.get(&kind.project);
        let limit = project.and_then(|project| project.max_concurrency);
        let pace = project.map(|project| pace(project.max_starts_per_minute)).transpose()?.flatten();
        let spent = project.and_then(|project| project.starts_spent_until);
        let facts = Facts {
            task: TaskStatus::Queued,
            order: OrderStatus::Queued,
            cancel_requested: false,
            worker: None,
            run_at: now,
            attempt: 0,
            queue_paused: paused.get(kind.queue.as_str()).copied().unwrap_or(false),
            question: None,
            project_limit: limit.map(|limit| counter("projects.max_concurrency", limit)).transpose()?,
            project_claimed: claimed.get(&kind.project).copied().unwrap_or(0),
            project_pace: pace.map(|pace| (pace, pace.next(spent))),
            workers: fleet.alive,
            able_workers: fleet.able,
            free_slots: fleet.free_slots,
            ahead: 0,
            needs: kind.needs,
            queue: kind.queue,
        };
        if let Some(cause) = why(&facts, now).blocked_by() {
            *blocked.entry(cause).or_insert(Duration::ZERO) += kind.waited;
        }
    }
    Ok(blocked)
}

/// Orders that the same thing keeps waiting.
struct Kind {
    queue: Name,
    project: Uuid,
    needs: Capabilities,
    waited: Duration,
}

async fn waiting(db: &DatabaseTransaction, window: Duration, now: Timestamp) -> Result<Vec<Kind>> {
    let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let values = [now.0.into(), window.into(), KINDS.into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), WAITING, values);
    let kind = |row: sea_orm::QueryResult| {
        let text = |column| row.try_get::<String>("", column).doing(DOING);
        let needs = Capabilities::from_key(&text("needs")?);
        let waited = row.try_get::<i64>("", "waited").doing(DOING)?;
        Ok(Kind {
            queue: word("work_orders.queue", &text("queue")?)?,
            project: row.try_get("", "project_id").doing(DOING)?,
            needs: needs.map_err(|problem| StoreError::corrupt("work_orders.needs", problem))?,
            waited: Duration::from_millis(u64::try_from(waited).unwrap_or(0)),
        })
    };
    db.query_all_raw(statement).await.doing(DOING)?.into_iter().map(kind).collect()
}

/// How many orders of each project are claimed.
async fn claimed(db: &DatabaseTransaction) -> Result<HashMap<Uuid, u32>> {
    let statement = Statement::from_string(db.get_database_backend(), CLAIMED);
    let mut claimed = HashMap::new();
    for row in db.query_all_raw(statement).await.doing(DOING)? {
        let count: i64 = row.try_get("", "claimed").doing(DOING)?;
        claimed.insert(row.try_get("", "project_id").doing(DOING)?, u32::try_from(count).unwrap_or(u32::MAX));
    }
    Ok(claimed)
}
