//! Executions: one attempt of an order on one worker. Begun by the claim, ended by the verdict.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    prelude::Expr,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Epoch, ExecutionId, OrderId, SessionRowId, TaskId, Timestamp, WorkerId, execution::ExecutionStatus,
};

use crate::{
    Result, Store, StoreError,
    entity::execution::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    orders::{ClaimedOrder, Completed},
    rows::{Values, word},
    tx::Tx,
};

/// An execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The task.
    pub task_id: TaskId,
    /// The order.
    pub order_id: OrderId,
    /// The worker.
    pub worker_id: WorkerId,
    /// The session.
    pub session_id: SessionRowId,
    /// The order's epoch in this attempt; unique with the order.
    pub epoch: Epoch,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What it came to: the verdict's result or error.
    pub output: Option<serde_json::Value>,
}

/// The executions of a task, oldest first.
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<Execution>> {
    let rows = Entity::find().filter(Column::TaskId.eq(task.0)).order_by_asc(Column::Id).all(store.read());
    rows.await.doing("reading a task's executions")?.into_iter().map(Execution::try_from).collect()
}

/// Begins the execution of every order in a claim.
pub(crate) async fn begin_claimed(tx: &Tx, worker: WorkerId, claimed: &[ClaimedOrder], now: Timestamp) -> Result<()> {
    let rows = claimed.iter().map(|claimed| ActiveModel {
        id: Set(claimed.execution_id.0),
        task_id: Set(claimed.order.task_id.0),
        order_id: Set(claimed.order.id.0),
        worker_id: Set(worker.0),
        session_id: Set(claimed.session_id.0),
        epoch: Set(claimed.order.epoch.0),
        status: Set(ExecutionStatus::Running.as_str().to_owned()),
        started_at: Set(now.0),
        completed_at: Set(None),
        output: Set(None),
    });
    Entity::insert_many(rows).exec_without_returning(tx.db()).await.doing("beginning executions").map(|_| ())
}

/// Ends the running execution of this epoch of an order.
pub(crate) async fn end(
    tx: &Tx,
    order: OrderId,
    epoch: Epoch,
    status: ExecutionStatus,
    output: Option<serde_json::Value>,
    now: Timestamp,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(status.as_str()))
        .col_expr(Column::CompletedAt, Expr::value(now.0))
        .col_expr(Column::Output, Expr::value(output))
        .filter(Column::OrderId.eq(order.0))
        .filter(Column::Epoch.eq(epoch.0))
        .filter(Column::Status.eq(ExecutionStatus::Running.as_str()))
        .exec(tx.db())
        .await
        .doing("ending an execution")
        .map(|_| ())
}

/// Ends the running executions of completed orders.
pub(crate) async fn complete(tx: &Tx, completed: &[Completed]) -> Result<()> {
    let mut rows = Values::new([]);
    for Completed { order, result, now } in completed {
        rows.push([order.id.0.into(), order.epoch.0.into(), now.0.into(), result.clone().into()]);
    }
    let sql = format!(
        "UPDATE executions SET status = 'completed', completed_at = v.column3, output = v.column4 FROM {} \
         WHERE executions.order_id = v.column1 AND executions.epoch = v.column2 AND status = 'running'",
        rows.list()
    );
    tx.db().execute_raw(rows.statement(tx.db(), &sql)).await.doing("ending executions").map(|_| ())
}

impl TryFrom<Model> for Execution {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            task_id: row.task_id.into(),
            order_id: row.order_id.into(),
            worker_id: row.worker_id.into(),
            session_id: row.session_id.into(),
            epoch: Epoch(row.epoch),
            status: word("executions.status", &row.status)?,
            started_at: Timestamp(row.started_at),
            completed_at: row.completed_at.map(Timestamp),
            output: row.output,
        })
    }
}
