//! Tasks: what was asked for. Submitting one writes the task, its run, its order and its log in one transaction.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Capabilities, Name, OrderId, Priority, ProjectId, RunId, TaskId, Timestamp,
    task::{TaskStatus, TaskType},
};

use crate::orders::Place;

mod cancel;
mod count;
mod create;
mod fingerprint;
mod read;
mod retry;
mod row;
mod submit;
mod update;

pub use cancel::cancel;
pub use count::{count_by_status, count_orders};
pub use read::{get, list, newest_order};
pub use retry::retry;
pub use submit::{submit, submit_bulk};
pub use update::update;

/// A task as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id; also its conversation's.
    pub id: TaskId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// That project's name.
    pub project: Name,
    /// One line.
    pub title: String,
    /// As long as it takes.
    pub description: String,
    /// What kind of work it is.
    pub task_type: TaskType,
    /// Where it stands.
    pub status: TaskStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// The repository to work on.
    pub repository_url: Option<String>,
    /// The branch to work on.
    pub branch_name: Option<String>,
    /// The pipeline that does the work.
    pub pipeline: Name,
    /// What the pipeline was given.
    pub input: serde_json::Value,
    /// What it came to; the shape is the pipeline's.
    pub result: Option<serde_json::Value>,
    /// Why it failed, in one sentence.
    pub error: Option<String>,
    /// Who submitted it, e.g. `key:laptop`.
    pub created_by: String,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it reached its present final status.
    pub completed_at: Option<Timestamp>,
}

/// What to submit. The caller has validated the fields' sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// The project's name; it must exist (`default` always does).
    pub project: Name,
    /// One line.
    pub title: String,
    /// As long as it takes.
    pub description: String,
    /// What kind of work it is.
    pub task_type: TaskType,
    /// How urgent it is.
    pub priority: Priority,
    /// The repository to work on.
    pub repository_url: Option<String>,
    /// The branch to work on.
    pub branch_name: Option<String>,
    /// The pipeline's name.
    pub pipeline: Name,
    /// The pipeline's version: a hash of its definition.
    pub pipeline_version: String,
    /// The pipeline's whole definition, pinned for this run.
    pub definition: serde_json::Value,
    /// What the pipeline is given.
    pub input: serde_json::Value,
    /// The queue.
    pub queue: Name,
    /// What a worker needs to run it.
    pub needs: Capabilities,
    /// Not before this time; `None` for at once.
    pub run_at: Option<Timestamp>,
    /// Attempts in all.
    pub max_attempts: u32,
    /// The same key with the same request gives the same task; with another request, an error.
    pub idempotency_key: Option<String>,
    /// Who submits it.
    pub created_by: String,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The task.
    pub task: Task,
    /// Its order.
    pub order_id: OrderId,
    /// Its run.
    pub run_id: RunId,
    /// Whether this request made it; `false` when an earlier one with the same idempotency key did.
    pub created: bool,
    /// Where the order belongs, for publishing it; `None` unless this request made it.
    pub place: Option<Place>,
}

/// Which tasks to list. Every set field must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskFilter {
    /// Any of these statuses; empty for all.
    pub status: Vec<TaskStatus>,
    /// This type.
    pub task_type: Option<TaskType>,
    /// This priority.
    pub priority: Option<Priority>,
    /// This project.
    pub project: Option<Name>,
    /// A part of the title, any case.
    pub text: Option<String>,
}

/// Changes to a task's descriptive fields. `None` leaves a field alone; `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskPatch {
    /// A new title.
    pub title: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new type.
    pub task_type: Option<TaskType>,
    /// A new priority; a waiting order moves in its queue accordingly.
    pub priority: Option<Priority>,
    /// Another repository.
    pub repository_url: Option<Option<String>>,
    /// Another branch.
    pub branch_name: Option<Option<String>>,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelled {
    /// It was waiting or parked, and is cancelled now.
    Now(Task),
    /// A worker holds it and has been told; the task is cancelled when the worker confirms.
    Requested(Task),
}
