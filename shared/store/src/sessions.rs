//! Sessions: a worker's hold on a task, watched for idleness and age.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    OrderId, SessionRowId, TaskId, Timestamp, WorkerId,
    session::{EndReason, SessionPolicy, SessionStatus},
};

use crate::{Page, PageRequest, Result, Store};

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

/// Opens a session for a worker, without an order; claims open their own.
pub async fn open(
    _store: &Store,
    _session_id: &str,
    _worker: WorkerId,
    _task: Option<TaskId>,
    _now: Timestamp,
) -> Result<Session> {
    todo!()
}

/// Notes activity. `Conflict` when it is over.
pub async fn touch(_store: &Store, _id: SessionRowId, _now: Timestamp) -> Result<Session> {
    todo!()
}

/// One session.
pub async fn get(_store: &Store, _id: SessionRowId) -> Result<Session> {
    todo!()
}

/// Sessions, newest first.
pub async fn list(_store: &Store, _filter: &SessionFilter, _page: &PageRequest) -> Result<Page<Session>> {
    todo!()
}

/// Ends a session. The order it holds goes back to the queue without burning an attempt (its worker becomes a ghost).
/// Returns that order's id, to be published.
pub async fn terminate(
    _store: &Store,
    _id: SessionRowId,
    _reason: EndReason,
    _now: Timestamp,
) -> Result<(Session, Option<OrderId>)> {
    todo!()
}

/// One pass: marks idle sessions, ends those that `policy` says must end (at most `limit`). Returns the ended ones and
/// the orders that went back to the queue, to be published. Safe to run twice.
pub async fn reap(
    _store: &Store,
    _policy: &SessionPolicy,
    _limit: u32,
    _now: Timestamp,
) -> Result<(Vec<Session>, Vec<OrderId>)> {
    todo!()
}
