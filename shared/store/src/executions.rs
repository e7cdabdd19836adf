//! Executions: one attempt of an order on one worker. Begun by the claim, ended by the verdict.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Epoch, ExecutionId, OrderId, SessionRowId, TaskId, Timestamp, WorkerId, execution::ExecutionStatus,
};

use crate::{Result, Store};

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
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<Execution>> {
    todo!()
}
