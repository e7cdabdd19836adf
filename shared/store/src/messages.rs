//! Chat messages. A task's conversation has the task's id and exists from its submission.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    ConversationId, MessageId, QuestionId, Timestamp,
    message::{MessageType, SenderType},
};

use crate::{Page, PageRequest, Result, Store};

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; later messages of a conversation have larger ids.
    pub id: MessageId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub sender_type: SenderType,
    /// That one's name or id.
    pub sender_id: String,
    /// What it says, in Markdown.
    pub message: String,
    /// What it is for.
    pub message_type: MessageType,
    /// The message it answers.
    pub parent_message_id: Option<MessageId>,
    /// The question it asks or answers.
    pub question_id: Option<QuestionId>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// A message to write.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who writes it.
    pub sender_type: SenderType,
    /// That one's name or id.
    pub sender_id: String,
    /// What it says.
    pub message: String,
    /// What it is for.
    pub message_type: MessageType,
    /// The message it answers; must be of the same conversation.
    pub parent_message_id: Option<MessageId>,
}

/// Writes a message. `NotFound` for an unknown conversation or parent.
pub async fn post(_store: &Store, _new: NewMessage, _now: Timestamp) -> Result<Message> {
    todo!()
}

/// One message.
pub async fn get(_store: &Store, _id: MessageId) -> Result<Message> {
    todo!()
}

/// Messages oldest first, of one conversation or of all.
pub async fn list(_store: &Store, _conversation: Option<ConversationId>, _page: &PageRequest) -> Result<Page<Message>> {
    todo!()
}
