//! Taking hold of an order's row for the length of a transaction.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select, prelude::Expr};
use shopfloor_domain::{Fence, OrderId, TaskId, Timestamp, order::OrderStatus};

use super::Order;
use crate::{
    Result, StoreError,
    entity::work_order::{Column, Entity},
    error::Doing as _,
    sessions,
    tx::Tx,
};

/// Locks an order, whatever its state.
pub(crate) async fn lock(tx: &Tx, id: OrderId) -> Result<Order> {
    let found = one(tx, Entity::find_by_id(id.0)).await?;
    found.ok_or_else(|| StoreError::not_found("order", id))
}

/// Locks the order that a worker claims to hold, and notes the activity of its session. `Fenced` unless the order is
/// claimed with this very epoch. `op` names the write for the metric of refused ones.
pub(crate) async fn lock_claimed(tx: &Tx, fence: Fence, op: &'static str, now: Timestamp) -> Result<Order> {
    let order = lock_fenced(tx, fence, op).await?;
    sessions::note_activity(tx, &order, now).await?;
    Ok(order)
}

/// As [`lock_claimed`], without touching the session: for writes that end it anyway.
///
/// The order has the epoch that was shown, not the one that was read, so that what is written and told of it says who
/// wrote: should the condition here ever fail, the log shows it.
pub(super) async fn lock_fenced(tx: &Tx, fence: Fence, op: &'static str) -> Result<Order> {
    let found = one(tx, Entity::find_by_id(fence.order_id.0)).await?;
    let held = found.filter(|order| order.status == OrderStatus::Claimed && order.epoch == fence.epoch);
    held.map(|order| Order { epoch: fence.epoch, ..order }).ok_or(StoreError::Fenced { fence, op })
}

/// Locks the one order of a task that is queued, claimed or parked, if there is one.
pub(crate) async fn lock_live(tx: &Tx, task: TaskId) -> Result<Option<Order>> {
    let live = Expr::cust("status IN ('queued', 'claimed', 'parked')");
    one(tx, Entity::find().filter(Column::TaskId.eq(task.0)).filter(live)).await
}

async fn one(tx: &Tx, select: Select<Entity>) -> Result<Option<Order>> {
    let row = select.lock_exclusive().one(tx.db()).await.doing("locking an order")?;
    row.map(Order::try_from).transpose()
}
