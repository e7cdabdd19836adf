//! Sessions: a worker's hold on a task, watched for idleness and age.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    OrderId, SessionRowId, TaskId, Timestamp, WorkerId,
    session::{EndReason, SessionStatus},
};

mod activity;
mod begin;
mod end;
mod read;
mod reap;
mod row;

pub(crate) use activity::note_activity;
pub use activity::touch;
pub(crate) use begin::begin_claimed;
pub use begin::open;
pub use end::terminate;
pub(crate) use end::{AttemptEnd, end_attempt};
pub use read::{get, list};
pub use reap::reap;

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its row's id.
    pub id: SessionRowId,
    /// Its public name, unique.
    pub session_id: String,
    /// Its worker.
    pub worker_id: WorkerId,
    /// The task it works on.
    pub task_id: Option<TaskId>,
    /// The order it holds.
    pub order_id: Option<OrderId>,
    /// Where it stands.
    pub status: SessionStatus,
    /// When something happened last.
    pub last_activity_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub terminated_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionFilter {
    /// Any of these statuses; empty for all.
    pub status: Vec<SessionStatus>,
    /// Of this worker.
    pub worker_id: Option<WorkerId>,
    /// Of this task.
    pub task_id: Option<TaskId>,
}
