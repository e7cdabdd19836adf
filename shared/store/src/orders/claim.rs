//! Handing orders to a worker.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::{Expr, Uuid},
    sea_query::{LockBehavior, LockType},
};
use shopfloor_domain::{
    ProjectId, SessionRowId, Timestamp, event::EventKind, order::OrderEvent, order::OrderStatus, task::TaskStatus,
};

use super::{
    ClaimRequest, ClaimedOrder, Order,
    follow::start_tasks,
    grant::{Chosen, grant},
    lanes::{self, Plan, Quota},
    row::{Moved, TaskMove, status_payload, step, subject},
};
use crate::{
    Backend, Result, Store, StoreError,
    entity::{
        project,
        work_order::{Column, Entity},
        worker,
    },
    error::Doing as _,
    projects::pace,
    runs, sessions,
    tx::{Tx, retrying},
};

pub(super) const DOING: &str = "claiming orders";
/// Others may take everything between the plan and the claim; then there may still be something in other lanes.
const PLANS: u32 = 3;

/// Claims up to `limit` due orders, lowest score first: unpaused queues, covered needs, project limits kept. One
/// transaction mints each epoch, counts the attempt, opens the session and begins the execution.
///
/// A worker that was removed gets nothing.
///
/// # Errors
/// `NotFound` for a worker that never registered, `Database`.
pub async fn claim(store: &Store, request: &ClaimRequest, now: Timestamp) -> Result<Vec<ClaimedOrder>> {
    let limit = u64::from(request.limit.clamp(1, ClaimRequest::MAX));
    if store.backend() == Backend::Postgres {
        let claimed =
            retrying(|| granted(store, request, Chosen::First, usize::try_from(limit).unwrap_or(1), now)).await?;
        if !claimed.is_empty() {
            return Ok(claimed);
        }
    }
    let mut plan = lanes::plan(store.read(), request, limit, now).await?;
    for _ in 0..PLANS {
        if plan.quotas.is_empty() {
            break;
        }
        let claimed = retrying(|| claim_once(store, request, &plan, now)).await?;
        if !claimed.is_empty() {
            return Ok(claimed);
        }
        plan = lanes::plan(store.read(), request, limit, now).await?;
    }
    Ok(Vec::new())
}

/// Whether the worker is still wanted: one that was removed gets nothing.
pub(super) async fn may_claim(store: &Store, request: &ClaimRequest) -> Result<bool> {
    let worker = worker::Entity::find_by_id(request.worker_id.0).one(store.read()).await.doing(DOING)?;
    let worker = worker.ok_or_else(|| StoreError::not_found("worker", request.worker_id))?;
    Ok(worker.removed_at.is_none())
}

async fn claim_once(store: &Store, request: &ClaimRequest, plan: &Plan, now: Timestamp) -> Result<Vec<ClaimedOrder>> {
    if store.backend() == Backend::Postgres && plan.limited.is_empty() {
        let most = plan.quotas.iter().map(|quota| usize::try_from(quota.take).unwrap_or(usize::MAX)).sum();
        return granted(store, request, Chosen::Lanes(plan.quotas.clone()), most, now).await;
    }
    let tx = store.begin(DOING).await?;
    let mut room = lanes::Room::new();
    for project in &plan.limited {
        room.extend(lock_room(&tx, *project, now).await?);
    }
    let (mut ids, mut starts) = (Vec::new(), BTreeMap::new());
    for quota in &plan.quotas {
        let left = room.get(&quota.lane.project).map_or(u64::MAX, |room| u64::try_from(*room).unwrap_or(0));
        let found = lock_due(&tx, quota, left, now).await?;
        if let Some(room) = room.get_mut(&quota.lane.project) {
            let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
            *room -= count;
            *starts.entry(quota.lane.project).or_insert(0) += count;
        }
        ids.extend(found);
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    spend(&tx, &starts, now).await?;
    let claimed = hand_out(&tx, request, ids, now).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Notes that so many orders of these limited projects, locked in this transaction, start now.
pub(super) async fn spend(tx: &Tx, starts: &BTreeMap<ProjectId, i64>, now: Timestamp) -> Result<()> {
    for (project, count) in starts.iter().filter(|(_, count)| **count > 0) {
        let Some(row) = project::Entity::find_by_id(project.0).one(tx.db()).await.doing(DOING)? else { continue };
        let Some(pace) = pace(row.max_starts_per_minute)? else { continue };
        let spent = pace.spend(row.starts_spent_until, *count, now);
        project::Entity::update_many()
            .col_expr(project::Column::StartsSpentUntil, Expr::value(spent))
            .filter(project::Column::Id.eq(project.0))
            .exec(tx.db())
            .await
            .doing(DOING)?;
    }
    Ok(())
}

/// Hands out orders in a statement of its own.
pub(super) async fn granted(
    store: &Store,
    request: &ClaimRequest,
    chosen: Chosen,
    most: usize,
    now: Timestamp,
) -> Result<Vec<ClaimedOrder>> {
    let claimed = grant(store.writer(), request, chosen, most, now).await?;
    if !claimed.is_empty() {
        store.announce_events();
    }
    Ok(claimed)
}

/// Hands out orders that this transaction has locked.
pub(super) async fn hand_out(
    tx: &Tx,
    request: &ClaimRequest,
    ids: Vec<Uuid>,
    now: Timestamp,
) -> Result<Vec<ClaimedOrder>> {
    match tx.backend() {
        Backend::Postgres => {
            tx.events_were_written();
            let most = ids.len();
            grant(tx.db(), request, Chosen::Locked(ids), most, now).await
        }
        Backend::Sqlite => {
            let orders = mint(tx, request, ids, now).await?;
            begin_attempts(tx, request, orders, now).await
        }
    }
}

/// How many more orders the project may run. Its row stays locked, so that claims of this project come one after another.
pub(super) async fn lock_room(tx: &Tx, project: ProjectId, now: Timestamp) -> Result<lanes::Room> {
    let row = project::Entity::find_by_id(project.0).lock(LockType::NoKeyUpdate);
    row.one(tx.db()).await.doing(DOING)?;
    lanes::room(tx.db(), Some(project), now).await
}

/// Locks the first due orders of a lane, passing by those that others hold.
async fn lock_due(tx: &Tx, quota: &Quota, left: u64, now: Timestamp) -> Result<Vec<Uuid>> {
    let ids = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Lane.eq(quota.lane.key.as_str()))
        .filter(Expr::cust("status = 'queued'"))
        .filter(Column::Score.lte(now.0))
        .filter(Column::RunAt.lte(now.0))
        .order_by_asc(Column::Score)
        .order_by_asc(Column::Id)
        .limit(quota.take.min(left))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple();
    ids.all(tx.db()).await.doing(DOING)
}

/// Makes the claim true: one statement mints the epochs and counts the attempts.
async fn mint(tx: &Tx, request: &ClaimRequest, ids: Vec<Uuid>, now: Timestamp) -> Result<Vec<Order>> {
    let rows = Entity::update_many()
        .col_expr(Column::Status, Expr::value(OrderStatus::Claimed.as_str()))
        .col_expr(Column::Epoch, Expr::cust("epoch + 1"))
        .col_expr(Column::Attempt, Expr::cust("attempt + 1"))
        .col_expr(Column::WorkerId, Expr::value(request.worker_id.0))
        .col_expr(Column::ClaimedAt, Expr::value(now.0))
        .col_expr(Column::LeaseExpiresAt, Expr::value((now + request.lease).0))
        .filter(Column::Id.is_in(ids))
        .filter(Expr::cust("status = 'queued'"))
        .exec_with_returning(tx.db())
        .await
        .doing(DOING)?;
    let mut orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>>>()?;
    orders.sort_by_key(|order| (order.score, order.id));
    Ok(orders)
}

/// Starts each order's task and run, opens its session and tells of it.
async fn begin_attempts(
    tx: &Tx,
    request: &ClaimRequest,
    orders: Vec<Order>,
    now: Timestamp,
) -> Result<Vec<ClaimedOrder>> {
    let started = start_tasks(tx, &orders, now).await?;
    let mut runs = runs::find_many(tx, orders.iter().map(|order| order.run_id)).await?;
    let mut claimed = Vec::with_capacity(orders.len());
    for order in orders {
        step(order.id, OrderStatus::Queued, OrderEvent::Claimed)?;
        let run = runs.remove(&order.run_id).ok_or_else(|| StoreError::not_found("run", order.run_id))?;
        let session_id = SessionRowId::new();
        let start = TaskMove { from: TaskStatus::Queued, to: TaskStatus::InProgress };
        let moved = Moved {
            from: Some(OrderStatus::Queued),
            event: Some(OrderEvent::Claimed),
            session: Some(session_id),
            end_reason: None,
            task: started.contains(&order.task_id).then_some(start),
        };
        let (task, id) = subject(&order);
        tx.event(EventKind::OrderStatus, task, id, status_payload(&order, moved), now);
        claimed.push(ClaimedOrder { order, run, session_id });
    }
    sessions::begin_claimed(tx, request.worker_id, &claimed, now).await?;
    Ok(claimed)
}
