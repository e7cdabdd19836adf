//! Moving a waiting order in its queue.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Expr};
use shopfloor_domain::{Priority, TaskId, time::millis};

use super::lock_live;
use crate::{
    Result,
    entity::work_order::{Column, Entity},
    error::Doing as _,
    tx::Tx,
};

/// Gives a task's live order another priority: its head start changes, the time it has waited stays. Does nothing when
/// the task has no live order.
pub(crate) async fn reprioritise(tx: &Tx, task: TaskId, priority: Priority) -> Result<()> {
    let Some(order) = lock_live(tx, task).await? else { return Ok(()) };
    let score = order.score.saturating_add(millis(order.priority.boost())).saturating_sub(millis(priority.boost()));
    Entity::update_many()
        .col_expr(Column::Priority, Expr::value(priority.as_str()))
        .col_expr(Column::Score, Expr::value(score))
        .filter(Column::Id.eq(order.id.0))
        .exec(tx.db())
        .await
        .doing("changing an order's priority")?;
    tx.ring_orders();
    Ok(())
}
