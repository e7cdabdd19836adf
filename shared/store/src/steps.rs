//! Steps: committed one by one, so that a killed process repeats at most the one that was running.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Epoch, Fence, HandoffId, OrderId, RunId, StepId, TaskId, Timestamp,
    step::{StepKind, StepStatus},
};

use crate::{
    Result, Store,
    artifacts::NewArtifact,
    questions::{NewQuestion, Question},
};

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

/// Begins the step at this place of the run, or takes over the unfinished one that is already there (same name and
/// round; its attempt counter goes up). A step that is `waiting` is returned as it is: see [`crate::questions`].
///
/// # Errors
/// `Fenced`; `Conflict` when a finished step or another one stands at this place.
pub async fn begin(_store: &Store, _fence: Fence, _run: RunId, _begin: BeginStep, _now: Timestamp) -> Result<Step> {
    todo!()
}

/// Ends a running step with its output, its artifacts and its handoff, in one transaction.
pub async fn finish(
    _store: &Store,
    _fence: Fence,
    _step: StepId,
    _result: StepResult,
    _artifacts: Vec<NewArtifact>,
    _handoff: Option<(String, serde_json::Value)>,
    _now: Timestamp,
) -> Result<Step> {
    todo!()
}

/// Puts a question for a running step and sets it to `waiting`: question row, chat message, events (and approval row for
/// an approval), in one transaction. Asking again for the same step returns the question that is there.
pub async fn ask(
    _store: &Store,
    _fence: Fence,
    _step: StepId,
    _question: NewQuestion,
    _now: Timestamp,
) -> Result<Question> {
    todo!()
}

/// Takes a waiting step whose question is closed back to `running`.
pub async fn answered(_store: &Store, _fence: Fence, _step: StepId, _now: Timestamp) -> Result<Step> {
    todo!()
}

/// Records that a running step goes around this place of the run.
pub async fn skip(_store: &Store, _fence: Fence, _run: RunId, _begin: BeginStep, _now: Timestamp) -> Result<Step> {
    todo!()
}

/// The steps of a run, by place.
pub async fn of_run(_store: &Store, _run: RunId) -> Result<Vec<Step>> {
    todo!()
}

/// The steps of all runs of a task, by run and place.
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<Step>> {
    todo!()
}

/// The handoffs of a run, oldest first.
pub async fn handoffs(_store: &Store, _run: RunId) -> Result<Vec<Handoff>> {
    todo!()
}
