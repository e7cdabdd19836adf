//! Pipeline runs: one pass of a task through a pinned pipeline definition. (Requirement D calls this table `pipelines`.)

use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, RunId, TaskId, Timestamp, task::TaskStatus};

use crate::{Result, Store};

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The task it works for.
    pub task_id: TaskId,
    /// The task's title when it began.
    pub title: String,
    /// The pipeline's name.
    pub template: Name,
    /// The pipeline's version: a hash of its definition.
    pub version: String,
    /// The pipeline's definition, pinned.
    pub definition: serde_json::Value,
    /// What it was given.
    pub input: serde_json::Value,
    /// The branch it works on.
    pub branch: Option<String>,
    /// Where it stands; follows its task.
    pub status: TaskStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One run.
pub async fn get(_store: &Store, _id: RunId) -> Result<Run> {
    todo!()
}

/// The runs of a task, oldest first.
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<Run>> {
    todo!()
}
