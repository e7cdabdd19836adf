//! Calls of models and what they cost.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{Fence, ModelCallId, StepId, TaskId, Timestamp};

use crate::{Result, Store};

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// Its id.
    pub id: ModelCallId,
    /// The task.
    pub task_id: TaskId,
    /// The step.
    pub step_id: StepId,
    /// The model's role, e.g. `code`.
    pub role: String,
    /// The endpoint.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// What was sent.
    pub request: serde_json::Value,
    /// What came back.
    pub response: Option<serde_json::Value>,
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Cost in billionths of a dollar.
    pub cost_nanodollars: u64,
    /// How long it took, in ms.
    pub latency_ms: u64,
    /// `ok`, or why it failed.
    pub outcome: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Records a call, guarded by the order's epoch.
pub async fn record(_store: &Store, _fence: Fence, _call: ModelCall) -> Result<()> {
    todo!()
}

/// The calls of a task, oldest first.
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<ModelCall>> {
    todo!()
}
