//! Questions and answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{
    Epoch, Name, OrderId, QuestionId, StepId, TaskId, Timestamp,
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

/// A question that a remote worker puts to people.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutIn {
    /// The worker's own name for it, unique within the task's run: the answer comes back under this name, and putting it
    /// twice puts it once.
    pub(crate) name: Name,
    /// The question, in Markdown; at most 16 KiB.
    pub(crate) prompt: String,
    /// `clarification` when absent, or `approval`: yes or no, with a comment.
    #[serde(default)]
    pub(crate) kind: Option<QuestionKind>,
    /// At most 100 answers to choose from; any answer goes when there are none.
    #[serde(default)]
    pub(crate) options: Vec<Value>,
    /// JSON Schema of the answer; `null` for any.
    #[serde(default)]
    pub(crate) schema: Value,
    /// The answer that counts when nobody gives one in time.
    #[serde(default)]
    pub(crate) default: Option<Value>,
    /// What happens when the deadline passes; `default` when absent.
    #[serde(default)]
    pub(crate) on_deadline: OnDeadline,
    /// How long people have, 1 second to 30 days; 24 hours when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2592000)]
    pub(crate) deadline_seconds: Option<u64>,
}

/// What became of a question that a remote worker has put.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnswerOut {
    /// The worker's name for it.
    pub(crate) name: String,
    /// The question.
    pub(crate) question_id: QuestionId,
    /// `open`, `answered`, or `expired` when the deadline answered.
    pub(crate) status: QuestionStatus,
    /// The answer: a person's, the default, or `{"rejected": true}`. For an approval `{"approved": …, "comment": …}`.
    pub(crate) answer: Option<Value>,
    /// Who answered; `deadline` when nobody did.
    pub(crate) answered_by: Option<String>,
    /// When.
    pub(crate) answered_at: Option<Timestamp>,
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
