//! The task and the run follow their order.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel as _, QueryFilter, QuerySelect,
    prelude::Expr,
};
use serde_json::Value;
use shopfloor_domain::{
    TaskId, Timestamp,
    machine::Machine as _,
    task::{TaskEvent, TaskStatus},
};

use super::{Order, row::TaskMove};
use crate::{
    Result, StoreError,
    entity::{pipeline, task},
    error::Doing as _,
    rows::word,
    tx::Tx,
};

const DOING: &str = "recording where a task stands";

/// Moves the order's task, and the run with it. `result` is what the task came to; a retried task starts without one.
/// The caller's event tells of the move.
pub(super) async fn follow_task(
    tx: &Tx,
    order: &Order,
    event: TaskEvent,
    result: Option<Value>,
    now: Timestamp,
) -> Result<TaskMove> {
    let row = task::Entity::find_by_id(order.task_id.0).lock_exclusive().one(tx.db()).await.doing(DOING)?;
    let row = row.ok_or_else(|| StoreError::not_found("task", order.task_id))?;
    let from: TaskStatus = word("tasks.status", &row.status)?;
    let to = from.step(event).map_err(|illegal| StoreError::Conflict {
        what: format!("task {}", order.task_id),
        tried: event.as_str(),
        state: illegal.state.to_string(),
    })?;
    let ended = matches!(to, TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled);
    let mut row = row.into_active_model();
    row.status = Set(to.as_str().to_owned());
    row.result = Set(result);
    row.error = Set(order.error.clone().filter(|_| event == TaskEvent::Failed));
    row.completed_at = Set(ended.then_some(now.0));
    row.updated_at = Set(now.0);
    row.update(tx.db()).await.doing(DOING)?;
    follow_run(tx, order, to, now).await?;
    Ok(TaskMove { from, to })
}

async fn follow_run(tx: &Tx, order: &Order, status: TaskStatus, now: Timestamp) -> Result<()> {
    let run = pipeline::Entity::update_many()
        .col_expr(pipeline::Column::Status, Expr::value(status.as_str()))
        .col_expr(pipeline::Column::UpdatedAt, Expr::value(now.0))
        .filter(pipeline::Column::Id.eq(order.run_id.0));
    run.exec(tx.db()).await.doing(DOING).map(|_| ())
}

/// Moves the tasks of freshly claimed orders from `queued` to `in_progress`, and returns those tasks; their runs stand where
/// they stand. Those that a worker had before are in progress already and stay as they are.
pub(super) async fn start_tasks(tx: &Tx, orders: &[Order], now: Timestamp) -> Result<BTreeSet<TaskId>> {
    let started: Vec<task::Model> = task::Entity::update_many()
        .col_expr(task::Column::Status, Expr::value(TaskStatus::InProgress.as_str()))
        .col_expr(task::Column::UpdatedAt, Expr::value(now.0))
        .filter(task::Column::Id.is_in(orders.iter().map(|order| order.task_id.0)))
        .filter(task::Column::Status.eq(TaskStatus::Queued.as_str()))
        .exec_with_returning(tx.db())
        .await
        .doing(DOING)?;
    Ok(started.into_iter().map(|row| TaskId(row.id)).collect())
}
