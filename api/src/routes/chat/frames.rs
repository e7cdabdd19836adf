//! What goes over the chat's WebSocket, in both directions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{ConversationId, QuestionId, TaskId, Timestamp, event::EventKind, role::Role};
use shopfloor_store::events::Event;

use crate::{error::ApiError, views::chat::PostIn};

/// From the client.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ClientFrame {
    /// Send only this conversation from now on, beside those subscribed before; without one, everything.
    Subscribe {
        /// The conversation.
        #[serde(default)]
        conversation_id: Option<ConversationId>,
        /// Send first what came after this cursor.
        #[serde(default)]
        after: Option<String>,
    },
    /// Write a message.
    Message(PostIn),
    /// Answer a question.
    Answer {
        /// The question.
        question_id: QuestionId,
        /// The answer.
        answer: Value,
    },
    /// Are you there?
    Ping {},
}

/// To the client.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerFrame {
    /// The connection stands.
    Connected {
        /// The caller.
        name: String,
        /// What it may do.
        role: Role,
        /// Where the log ends now; events after it follow.
        cursor: String,
    },
    /// A subscription stands.
    Subscribed {
        /// The conversation; `null` for all.
        conversation_id: Option<ConversationId>,
    },
    /// A chat message.
    Message(LogFrame),
    /// A worker asks something.
    WorkerRequest(LogFrame),
    /// A person has answered, or the question was closed otherwise.
    HumanResponse(LogFrame),
    /// What became of the client's own answer.
    Answered {
        /// The question.
        question_id: QuestionId,
        /// Whether it was the first.
        won: bool,
        /// The answer that counts.
        answer: Option<Value>,
    },
    /// The client's frame was refused.
    Error {
        /// A stable word.
        code: &'static str,
        /// What is wrong.
        detail: String,
        /// Where.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    },
    /// Yes.
    Pong {
        /// The time.
        at: Timestamp,
    },
}

/// An entry of the log, as a frame.
#[derive(Debug, Serialize)]
pub(super) struct LogFrame {
    /// Where it stands in the log.
    cursor: String,
    /// The conversation.
    pub(super) conversation_id: Option<ConversationId>,
    /// The task.
    task_id: Option<TaskId>,
    /// When it happened.
    created_at: Timestamp,
    /// The message or the question.
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Message(Value),
    Question(Value),
}

/// The kinds of events that become frames.
pub(super) const KINDS: [EventKind; 3] =
    [EventKind::MessagePosted, EventKind::QuestionAsked, EventKind::QuestionClosed];

impl ServerFrame {
    /// The frame of an event; `None` for kinds that are not of the chat.
    pub(super) fn of(event: Event) -> Option<Self> {
        let named = event.payload.get("conversation_id").cloned();
        let named = named.and_then(|id| serde_json::from_value(id).ok());
        let frame = |content| LogFrame {
            cursor: event.cursor.to_string(),
            conversation_id: named.or(event.task_id.map(ConversationId::from)),
            task_id: event.task_id,
            created_at: event.created_at,
            content,
        };
        let payload = event.payload.clone();
        match event.kind {
            EventKind::QuestionAsked => Some(Self::WorkerRequest(frame(Content::Question(payload)))),
            EventKind::QuestionClosed => Some(Self::HumanResponse(frame(Content::Question(payload)))),
            EventKind::MessagePosted => Some(Self::posted(frame(Content::Message(payload)))),
            _ => None,
        }
    }

    /// Requests of workers and responses of people that belong to no question have no frame but their message.
    fn posted(frame: LogFrame) -> Self {
        let Content::Message(message) = &frame.content else { return Self::Message(frame) };
        let is = |field: &str, word: &str| message.get(field).and_then(Value::as_str) == Some(word);
        let absent = |field: &str| message.get(field).is_none_or(Value::is_null);
        if is("sender_type", "worker") && is("message_type", "request") && absent("question_id") {
            return Self::WorkerRequest(frame);
        }
        let answers = !absent("parent_message_id") && absent("question_id");
        if is("sender_type", "human") && is("message_type", "response") && answers {
            return Self::HumanResponse(frame);
        }
        Self::Message(frame)
    }

    /// The conversation that the frame belongs to, for frames of the log.
    pub(super) const fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Message(frame) | Self::WorkerRequest(frame) | Self::HumanResponse(frame) => frame.conversation_id,
            _ => None,
        }
    }
}

impl From<&ApiError> for ServerFrame {
    fn from(error: &ApiError) -> Self {
        let problem = error.problem();
        Self::Error { code: problem.code, detail: problem.detail.clone(), field: problem.field.clone() }
    }
}
