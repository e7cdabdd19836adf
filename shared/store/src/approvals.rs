//! Approvals: the decision of an approval step. Written by [`crate::questions`] together with the question.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{ApprovalId, QuestionId, StepId, TaskId, Timestamp};

use crate::{Result, Store};

/// An approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The step that waits for it.
    pub step_id: StepId,
    /// The question that asks for it.
    pub question_id: QuestionId,
    /// `pending`, `approved`, `rejected` or `cancelled`.
    pub status: String,
    /// What was said with the decision.
    pub comment: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
}

/// The approvals of a task, oldest first.
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<Approval>> {
    todo!()
}
