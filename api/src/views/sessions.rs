//! Sessions.

use serde::Deserialize;
use shopfloor_domain::{
    OrderId, SessionRowId, TaskId, Timestamp, WorkerId,
    session::{EndReason, SessionStatus},
};
use shopfloor_store::sessions::{Session, SessionFilter};
use utoipa::{IntoParams, ToSchema};

use super::page;
use crate::{
    error::Result,
    extract::{number, words},
};

view! {
    /// A worker's hold on a task.
    SessionOut from Session {
        /// Its row's id.
        id: SessionRowId,
        /// Its public name, unique.
        session_id: String,
        /// Its worker.
        worker_id: WorkerId,
        /// The task it works on.
        task_id: Option<TaskId>,
        /// The order it holds.
        order_id: Option<OrderId>,
        /// Where it stands.
        status: SessionStatus,
        /// When something happened last.
        last_activity_at: Timestamp,
        /// When it began.
        created_at: Timestamp,
        /// When it ended.
        terminated_at: Option<Timestamp>,
        /// Why it ended.
        end_reason: Option<EndReason>,
    }
}

/// A session to open. Claims open their own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenIn {
    /// Its public name; made up when absent.
    #[serde(default)]
    pub(crate) session_id: Option<String>,
    /// Its worker.
    pub(crate) worker_id: WorkerId,
    /// The task it works on.
    #[serde(default)]
    pub(crate) task_id: Option<TaskId>,
}

/// Which sessions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionQuery {
    /// Any of these statuses; may come often or as a list with commas.
    #[serde(default, deserialize_with = "words")]
    status: Vec<SessionStatus>,
    /// Of this worker.
    #[serde(default)]
    worker_id: Option<WorkerId>,
    /// Of this task.
    #[serde(default)]
    task_id: Option<TaskId>,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Rows on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
}

impl SessionQuery {
    pub(crate) fn page(&self) -> Result<shopfloor_store::PageRequest> {
        page::page(self.after.clone(), self.limit)
    }

    pub(crate) fn filter(self) -> SessionFilter {
        SessionFilter { status: self.status, worker_id: self.worker_id, task_id: self.task_id }
    }
}
