//! Executions: one attempt of an order on one worker. Begun by the claim, ended by the verdict. The claim's session is the
//! row that records it; `executions` is a view of those.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Epoch, ExecutionId, OrderId, SessionRowId, TaskId, Timestamp, WorkerId, execution::ExecutionStatus,
};

use crate::{
    Result, Store, StoreError,
    entity::execution::{Column, Entity, Model},
    error::Doing as _,
    rows::word,
};

/// An execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id: that of its session.
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
