//! Chat messages.

use serde::Deserialize;
use shopfloor_domain::{
    ConversationId, MessageId, QuestionId, Timestamp,
    message::{MessageType, SenderType},
};
use shopfloor_store::messages::{Message, NewMessage};
use utoipa::{IntoParams, ToSchema};

use super::{page, text};
use crate::{auth::Caller, error::Result, extract::number, limits};

view! {
    /// A chat message.
    MessageOut from Message {
        /// Its id; later messages of a conversation have larger ids.
        id: MessageId,
        /// Its conversation: a task's has the task's id.
        conversation_id: ConversationId,
        /// Who wrote it.
        sender_type: SenderType,
        /// That one's name or id.
        sender_id: String,
        /// What it says, in Markdown.
        message: String,
        /// What it is for.
        message_type: MessageType,
        /// The message it answers.
        parent_message_id: Option<MessageId>,
        /// The question it asks or answers.
        question_id: Option<QuestionId>,
        /// When it was written.
        created_at: Timestamp,
    }
}

/// A message to write. Who writes it follows from the key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostIn {
    /// Its conversation.
    conversation_id: ConversationId,
    /// What it says, in Markdown, at most 16 KiB.
    message: String,
    /// What it is for; `status` from workers and `response` from people when absent.
    #[serde(default)]
    message_type: Option<MessageType>,
    /// The message it answers, of the same conversation.
    #[serde(default)]
    parent_message_id: Option<MessageId>,
    /// The worker that writes, for worker keys.
    #[serde(default)]
    sender_id: Option<String>,
}

impl PostIn {
    /// The checked message of this caller.
    pub(crate) fn message(self, caller: &Caller) -> Result<NewMessage> {
        let sender_type = caller.sender_type();
        let sender_id = text::optional_line("sender_id", self.sender_id.as_deref(), limits::NAME_CHARS)?;
        let usual = if sender_type == SenderType::Worker { MessageType::Status } else { MessageType::Response };
        Ok(NewMessage {
            conversation_id: self.conversation_id,
            sender_type,
            sender_id: sender_id.filter(|_| sender_type == SenderType::Worker).unwrap_or_else(|| caller.actor()),
            message: text::said("message", self.message)?,
            message_type: self.message_type.unwrap_or(usual),
            parent_message_id: self.parent_message_id,
        })
    }
}

/// Which messages to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageQuery {
    /// Of this conversation.
    #[serde(default)]
    pub(crate) conversation_id: Option<ConversationId>,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Rows on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
}

impl MessageQuery {
    pub(crate) fn page(&self) -> Result<shopfloor_store::PageRequest> {
        page::page(self.after.clone(), self.limit)
    }
}
