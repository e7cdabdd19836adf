//! Steps: committed one by one, so that a killed process repeats at most the one that was running.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Epoch, HandoffId, OrderId, RunId, StepId, TaskId, Timestamp,
    step::{StepKind, StepStatus},
};

mod ask;
mod begin;
mod cancel;
mod finish;
mod read;
mod row;

pub use ask::{answered, ask};
pub use begin::{begin, skip};
pub(crate) use cancel::cancel_unfinished;
pub use finish::finish;
pub use read::{handoffs, of_run, of_task};

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The run's task.
    pub task_id: TaskId,
    /// The order that worked on it last.
    pub order_id: OrderId,
    /// Its place in the run: 0, 1, 2 … in the order in which steps were begun. Unique within the run.
    pub order_index: u32,
    /// Its name in the definition.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// The agent that acts in it, for agent steps.
    pub agent_name: Option<String>,
    /// Which round of this name it is, from 0.
    pub round: u32,
    /// Where it stands.
    pub status: StepStatus,
    /// The epoch that worked on it last.
    pub epoch: Epoch,
    /// How often it was started.
    pub attempt: u32,
    /// What it was given.
    pub input: serde_json::Value,
    /// What it came to.
    pub output: Option<serde_json::Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was started first.
    pub started_at: Option<Timestamp>,
    /// When it reached its final status.
    pub finished_at: Option<Timestamp>,
}

/// A step to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct BeginStep {
    /// Its place in the run.
    pub order_index: u32,
    /// Its name in the definition.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// The agent that acts in it.
    pub agent_name: Option<String>,
    /// Which round of this name it is.
    pub round: u32,
    /// What it is given.
    pub input: serde_json::Value,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StepResult {
    /// Its output.
    Completed(serde_json::Value),
    /// Why it failed, and what there is of an output.
    Failed {
        /// In one sentence.
        error: String,
        /// Findings, outputs.
        output: Option<serde_json::Value>,
    },
}

/// What a step hands to the next one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handoff {
    /// Its id.
    pub id: HandoffId,
    /// The step that wrote it.
    pub step_id: StepId,
    /// For people and models.
    pub content_md: String,
    /// For programs.
    pub metadata: serde_json::Value,
    /// When it was written.
    pub created_at: Timestamp,
}
