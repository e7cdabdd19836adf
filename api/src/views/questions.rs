//! Questions and answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{
    Epoch, OrderId, QuestionId, StepId, TaskId, Timestamp,
    question::{OnDeadline, QuestionKind, QuestionStatus, Rung},
};
use shopfloor_store::questions::{Question, QuestionFilter};
use utoipa::{IntoParams, ToSchema};

use super::page;
use crate::{
    error::Result,
    extract::{number, words},
};

view! {
    /// A question put to a person.
    QuestionOut from Question {
        /// Its id.
        id: QuestionId,
        /// The task it is about.
        task_id: TaskId,
        /// The task's title.
        task_title: String,
        /// The order that waits for it.
        order_id: OrderId,
        /// The step that asked.
        step_id: StepId,
        /// The epoch that asked.
        epoch: Epoch,
        /// What it asks for.
        kind: QuestionKind,
        /// The question, in Markdown.
        prompt: String,
        /// The JSON Schema that an answer must satisfy; `null` for any.
        schema: Value,
        /// Answers to choose from; empty for free text.
        options: Vec<Value>,
        /// Whom it is for.
        audience: String,
        /// The answer that counts when the deadline passes.
        default: Option<Value>,
        /// What happens when the deadline passes.
        on_deadline: OnDeadline,
        /// Where it stands.
        status: QuestionStatus,
        /// How far its deadline's ladder has been climbed.
        #[schema(value_type = String)]
        rung: Rung,
        /// When it was asked.
        created_at: Timestamp,
        /// When its present deadline began to run.
        asked_at: Timestamp,
        /// When its time is up.
        deadline_at: Timestamp,
        /// The answer.
        answer: Option<Value>,
        /// Who answered; `deadline` when nobody did.
        answered_by: Option<String>,
        /// When.
        answered_at: Option<Timestamp>,
    }
}

/// An answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerIn {
    /// One of the options, or a value that fits the schema; for an approval `{"approved": true, "comment": "…"}`.
    pub(crate) answer: Value,
}

/// What became of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnsweredOut {
    /// The question, closed, with the answer that counts.
    pub(crate) question: QuestionOut,
    /// Whether this answer was the first.
    pub(crate) won: bool,
}

/// Which questions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuestionQuery {
    /// Any of these statuses; may come often or as a list with commas.
    #[serde(default, deserialize_with = "words")]
    status: Vec<QuestionStatus>,
    /// Of this task.
    #[serde(default)]
    task_id: Option<TaskId>,
    /// Of this kind.
    #[serde(default)]
    kind: Option<QuestionKind>,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Rows on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
}

impl QuestionQuery {
    pub(crate) fn page(&self) -> Result<shopfloor_store::PageRequest> {
        page::page(self.after.clone(), self.limit)
    }

    pub(crate) fn filter(self) -> QuestionFilter {
        QuestionFilter { status: self.status, task_id: self.task_id, kind: self.kind }
    }
}
