//! Approvals: the decision of an approval step. Written by [`crate::questions`] together with the question.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{ApprovalId, QuestionId, StepId, TaskId, Timestamp};

use crate::{
    Result, Store,
    entity::{
        approval::{Column, Entity, Model},
        question,
    },
    error::Doing as _,
};

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
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<Approval>> {
    let asked = question::Entity::find().select_only().column(question::Column::Id);
    let asked = asked.filter(question::Column::TaskId.eq(task.0)).into_query();
    let rows = Entity::find().filter(Column::QuestionId.in_subquery(asked)).order_by_asc(Column::Id);
    let rows = rows.all(store.read()).await.doing("reading a task's approvals")?;
    Ok(rows.into_iter().map(Approval::from).collect())
}

impl From<Model> for Approval {
    fn from(row: Model) -> Self {
        Self {
            id: row.id.into(),
            step_id: row.step_id.into(),
            question_id: row.question_id.into(),
            status: row.status,
            comment: row.comment,
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(Timestamp),
        }
    }
}
