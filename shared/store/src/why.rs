//! The facts behind "why is it not running?".

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement,
    prelude::{Expr, Uuid},
};
use shopfloor_domain::{Capabilities, Name, QuestionId, TaskId, Timestamp, why::Facts};

use crate::{
    Result, Store, StoreError,
    entity::{project, queue, task, work_order, worker},
    error::Doing as _,
    orders::Order,
    projects::pace,
    rows::{counter, word},
};

mod blocked;

pub use blocked::blocked;

const DOING: &str = "finding out why a task is not running";
/// Beyond this many, the exact number of orders that go first tells nobody anything.
const AHEAD_AT_MOST: i64 = 100_000;

/// Gathers what [`shopfloor_domain::why::why`] needs, in one consistent read.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn facts(store: &Store, task: TaskId, now: Timestamp) -> Result<Facts> {
    let db = store.snapshot(DOING).await?;
    let row = task::Entity::find_by_id(task.0).one(&db).await.doing(DOING)?;
    let row = row.ok_or_else(|| StoreError::not_found("task", task))?;
    let order = newest_order(&db, task).await?;
    let queue = queue::Entity::find_by_id(order.queue.as_str()).one(&db).await.doing(DOING)?;
    let project = project::Entity::find_by_id(order.project_id.0).one(&db).await.doing(DOING)?;
    let limit = project.as_ref().and_then(|project| project.max_concurrency);
    let pace = project.as_ref().map(|project| pace(project.max_starts_per_minute)).transpose()?.flatten();
    let spent = project.and_then(|project| project.starts_spent_until);
    let fleet = fleet(&db, &order).await?;
    Ok(Facts {
        task: word("tasks.status", &row.status)?,
        order: order.status,
        cancel_requested: order.cancel_requested_at.is_some(),
        worker: order.worker_id,
        run_at: order.run_at,
        attempt: order.attempt,
        queue_paused: queue.is_some_and(|queue| queue.paused_at.is_some()),
        question: open_question(&db, &order).await?,
        project_limit: limit.map(|limit| counter("projects.max_concurrency", limit)).transpose()?,
        project_claimed: project_claimed(&db, &order).await?,
        project_pace: pace.map(|pace| (pace, pace.next(spent))),
        workers: fleet.alive,
        able_workers: fleet.able,
        free_slots: fleet.free_slots,
        ahead: ahead(&db, &order, now).await?,
        needs: order.needs,
        queue: order.queue,
    })
}

async fn newest_order(db: &DatabaseTransaction, task: TaskId) -> Result<Order> {
    let of_task = work_order::Entity::find().filter(work_order::Column::TaskId.eq(task.0));
    let newest = of_task.order_by_desc(work_order::Column::Id).one(db).await.doing(DOING)?;
    newest.ok_or_else(|| StoreError::not_found("order of task", task))?.try_into()
}

async fn open_question(db: &DatabaseTransaction, order: &Order) -> Result<Option<QuestionId>> {
    let sql = "SELECT id FROM questions WHERE order_id = $1 AND status = 'open' ORDER BY id LIMIT 1";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [order.id.0.into()]);
    let row = db.query_one_raw(statement).await.doing(DOING)?;
    row.map(|row| row.try_get::<Uuid>("", "id").map(Into::into)).transpose().doing(DOING)
}

async fn project_claimed(db: &DatabaseTransaction, order: &Order) -> Result<u32> {
    let sql = "SELECT count(*) AS claimed FROM work_orders WHERE status = 'claimed' AND project_id = $1";
    count(db, sql, [order.project_id.0.into()]).await.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// Due orders of the same queue with a lower score.
async fn ahead(db: &DatabaseTransaction, order: &Order, now: Timestamp) -> Result<u64> {
    let sql = "SELECT count(*) AS claimed FROM (
                   SELECT 1 AS one FROM work_orders
                   WHERE status = 'queued' AND queue = $1 AND run_at <= $2
                     AND (score < $3 OR (score = $3 AND id < $4)) LIMIT $5) AS before";
    let values =
        [order.queue.as_str().into(), now.0.into(), order.score.into(), order.id.0.into(), AHEAD_AT_MOST.into()];
    count(db, sql, values).await
}

async fn count<const N: usize>(db: &DatabaseTransaction, sql: &str, values: [sea_orm::Value; N]) -> Result<u64> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let row = db.query_one_raw(statement).await.doing(DOING)?;
    let count = row.map(|row| row.try_get::<i64>("", "claimed")).transpose().doing(DOING)?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// Who could run an order.
#[derive(Debug, Default)]
struct Fleet {
    alive: u32,
    able: u32,
    free_slots: u32,
}

async fn fleet(db: &DatabaseTransaction, order: &Order) -> Result<Fleet> {
    Ok(Crew::load(db).await?.fit_for(&order.queue, &order.needs))
}

/// The live workers.
#[derive(Debug)]
struct Crew(Vec<Hand>);

#[derive(Debug)]
struct Hand {
    capabilities: Capabilities,
    /// Served queues; empty for all.
    queues: String,
    free: u32,
}

impl Crew {
    async fn load(db: &DatabaseTransaction) -> Result<Self> {
        let alive = worker::Entity::find()
            .filter(Expr::cust("status <> 'offline'"))
            .filter(worker::Column::RemovedAt.is_null())
            .all(db)
            .await
            .doing(DOING)?;
        let held: Vec<(Option<Uuid>, i64)> = work_order::Entity::find()
            .select_only()
            .column(work_order::Column::WorkerId)
            .column_as(work_order::Column::Id.count(), "held")
            .filter(Expr::cust("status = 'claimed'"))
            .group_by(work_order::Column::WorkerId)
            .into_tuple()
            .all(db)
            .await
            .doing(DOING)?;
        let held: HashMap<Option<Uuid>, i64> = held.into_iter().collect();
        let hand = |worker: worker::Model| {
            let capabilities = Capabilities::from_key(&worker.capabilities);
            let capabilities = capabilities.map_err(|problem| StoreError::corrupt("workers.capabilities", problem))?;
            let free = i64::from(worker.slots) - held.get(&Some(worker.id)).copied().unwrap_or(0);
            Ok(Hand { capabilities, queues: worker.queues, free: u32::try_from(free).unwrap_or(0) })
        };
        alive.into_iter().map(hand).collect::<Result<_>>().map(Self)
    }

    /// Who of them could run an order of this queue with these needs.
    fn fit_for(&self, queue: &Name, needs: &Capabilities) -> Fleet {
        let serves = |hand: &&Hand| hand.queues.is_empty() || hand.queues.split(',').any(|name| name == queue.as_str());
        let able = self.0.iter().filter(serves).filter(|hand| hand.capabilities.cover(needs));
        let alive = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        able.fold(Fleet { alive, ..Fleet::default() }, |fleet, hand| Fleet {
            able: fleet.able + 1,
            free_slots: fleet.free_slots.saturating_add(hand.free),
            ..fleet
        })
    }
}
