//! Questions put to people, and their durable mailbox: the row itself. The first answer wins by compare-and-set.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Epoch, OrderId, QuestionId, StepId, TaskId, Timestamp,
    question::{OnDeadline, QuestionKind, QuestionStatus, Rung},
};

mod answer;
mod climb;
mod close;
mod ladder;
mod put;
mod read;
mod row;

pub use answer::answer;
pub use climb::climb;
pub(crate) use close::cancel_open;
pub(crate) use put::{asked_by, put};
pub use read::{get, list, of_step, of_steps};

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// The task it is about.
    pub task_id: TaskId,
    /// The task's title.
    pub task_title: String,
    /// The order that waits for it.
    pub order_id: OrderId,
    /// The step that asked.
    pub step_id: StepId,
    /// The epoch that asked.
    pub epoch: Epoch,
    /// What it asks for.
    pub kind: QuestionKind,
    /// The question, in Markdown.
    pub prompt: String,
    /// The JSON Schema that an answer must satisfy; `null` for any.
    pub schema: serde_json::Value,
    /// Answers to choose from; empty for free text.
    pub options: Vec<serde_json::Value>,
    /// Whom it is for, e.g. `operators`.
    pub audience: String,
    /// The answer that is recorded when the deadline passes.
    pub default: Option<serde_json::Value>,
    /// What happens when the deadline passes.
    pub on_deadline: OnDeadline,
    /// Where it stands.
    pub status: QuestionStatus,
    /// The rung its ladder has reached.
    pub rung: Rung,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When its present deadline began to run: `created_at`, or when it was extended.
    pub asked_at: Timestamp,
    /// When its time is up.
    pub deadline_at: Timestamp,
    /// The answer; for an approval `{"approved": bool, "comment": text}`.
    pub answer: Option<serde_json::Value>,
    /// Who answered; `deadline` when nobody did.
    pub answered_by: Option<String>,
    /// When.
    pub answered_at: Option<Timestamp>,
}

/// A question to put.
#[derive(Debug, Clone, PartialEq)]
pub struct NewQuestion {
    /// What it asks for.
    pub kind: QuestionKind,
    /// The question, in Markdown.
    pub prompt: String,
    /// The JSON Schema that an answer must satisfy; `null` for any.
    pub schema: serde_json::Value,
    /// Answers to choose from.
    pub options: Vec<serde_json::Value>,
    /// Whom it is for.
    pub audience: String,
    /// The answer that is recorded when the deadline passes.
    pub default: Option<serde_json::Value>,
    /// What happens when the deadline passes.
    pub on_deadline: OnDeadline,
    /// When its time is up.
    pub deadline_at: Timestamp,
}

/// Which questions to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuestionFilter {
    /// Any of these statuses; empty for all.
    pub status: Vec<QuestionStatus>,
    /// Of this task.
    pub task_id: Option<TaskId>,
    /// Of this kind.
    pub kind: Option<QuestionKind>,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The question, closed.
    pub question: Question,
    /// Whether this answer was the first and won; otherwise `question` holds the one that did.
    pub won: bool,
    /// The order that this answer put back into the queue, to be published; `None` when it was not parked.
    pub resumed: Option<OrderId>,
}

/// What a pass over the deadlines did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LadderPass {
    /// Reminded of.
    pub reminded: Vec<QuestionId>,
    /// Escalated.
    pub escalated: Vec<QuestionId>,
    /// Their deadline was moved.
    pub extended: Vec<QuestionId>,
    /// Closed by their deadline.
    pub expired: Vec<QuestionId>,
    /// Orders put back into the queue by that, to be published.
    pub resumed: Vec<OrderId>,
}
