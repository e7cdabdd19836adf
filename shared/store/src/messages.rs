//! Chat messages. A task's conversation has the task's id and can be written to from its submission.

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, prelude::Uuid, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    ConversationId, MessageId, QuestionId, TaskId, Timestamp,
    event::EventKind,
    message::{MessageType, SenderType},
};

use crate::{
    Page, PageRequest, Result, Store, StoreError, check,
    entity::{
        conversation,
        message::{ActiveModel, Column, Entity, Model},
        task,
    },
    error::Doing as _,
    rows::word,
    tx::{Tx, retrying},
};

const DOING: &str = "writing a chat message";

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

/// Writes a message.
///
/// # Errors
/// `NotFound` for an unknown conversation or parent, `Invalid` for a NUL in the text, `Database`.
pub async fn post(store: &Store, new: NewMessage, now: Timestamp) -> Result<Message> {
    check::text("message", &new.message)?;
    check::text("sender_id", &new.sender_id)?;
    retrying(|| post_once(store, &new, now)).await
}

async fn post_once(store: &Store, new: &NewMessage, now: Timestamp) -> Result<Message> {
    let tx = store.begin(DOING).await?;
    let message = write(&tx, new.clone(), None, now).await?;
    tx.commit().await?;
    Ok(message)
}

/// One message.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: MessageId) -> Result<Message> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading a chat message")?;
    row.ok_or_else(|| StoreError::not_found("message", id))?.try_into()
}

/// Messages oldest first, of one conversation or of all.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn list(store: &Store, conversation: Option<ConversationId>, page: &PageRequest) -> Result<Page<Message>> {
    let mut rows = Entity::find().order_by_asc(Column::Id).limit(page.fetch());
    if let Some(conversation) = conversation {
        rows = rows.filter(Column::ConversationId.eq(conversation.0));
    }
    if let Some(after) = page.key::<Uuid>()? {
        rows = rows.filter(Column::Id.gt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing chat messages")?;
    let messages = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>>>()?;
    Ok(page.page(messages, |message| message.id))
}

/// Writes a message with a larger id than every other of its conversation, whose row is locked for that.
pub(crate) async fn write(tx: &Tx, new: NewMessage, question: Option<QuestionId>, now: Timestamp) -> Result<Message> {
    let conversation = lock(tx, new.conversation_id, now).await?;
    if let Some(parent) = new.parent_message_id {
        let siblings = Entity::find_by_id(parent.0).filter(Column::ConversationId.eq(new.conversation_id.0));
        let found = siblings.one(tx.db()).await.doing(DOING)?;
        found.ok_or_else(|| StoreError::not_found("message", parent))?;
    }
    let message = Message {
        id: next_id(conversation.last_message_id),
        conversation_id: new.conversation_id,
        sender_type: new.sender_type,
        sender_id: new.sender_id,
        message: new.message,
        message_type: new.message_type,
        parent_message_id: new.parent_message_id,
        question_id: question,
        created_at: now,
    };
    active(&message).insert(tx.db()).await.doing(DOING)?;
    let task = conversation.task_id.map(TaskId);
    let mut conversation = conversation.into_active_model();
    conversation.last_message_id = Set(Some(message.id.0));
    conversation.update(tx.db()).await.doing(DOING)?;
    let payload = serde_json::to_value(&message).map_err(|problem| StoreError::corrupt("message", problem))?;
    tx.event(EventKind::MessagePosted, task, None, payload, now);
    Ok(message)
}

/// Locks a conversation. That of a task has the task's id, and its row is made by its first message.
async fn lock(tx: &Tx, id: ConversationId, now: Timestamp) -> Result<conversation::Model> {
    use conversation::{ActiveModel, Entity};
    let find = || Entity::find_by_id(id.0).lock_exclusive().one(tx.db());
    if let Some(row) = find().await.doing(DOING)? {
        return Ok(row);
    }
    let task = task::Entity::find_by_id(id.0).one(tx.db()).await.doing(DOING)?;
    task.ok_or_else(|| StoreError::not_found("conversation", id))?;
    let row =
        ActiveModel { id: Set(id.0), task_id: Set(Some(id.0)), last_message_id: Set(None), created_at: Set(now.0) };
    let nothing = OnConflict::column(conversation::Column::Id).do_nothing().to_owned();
    Entity::insert(row).on_conflict(nothing).exec_without_returning(tx.db()).await.doing(DOING)?;
    find().await.doing(DOING)?.ok_or_else(|| StoreError::not_found("conversation", id))
}

/// A new id; after the last one also when this machine's clock is behind that of the last writer.
fn next_id(last: Option<Uuid>) -> MessageId {
    let fresh = MessageId::new();
    match last {
        Some(last) if fresh.0 <= last => MessageId(Uuid::from_u128(last.as_u128().saturating_add(1))),
        _ => fresh,
    }
}

/// The message that put a question to people.
pub(crate) async fn asking(tx: &Tx, question: QuestionId) -> Result<Option<MessageId>> {
    let first = Entity::find().filter(Column::QuestionId.eq(question.0)).order_by_asc(Column::Id).one(tx.db());
    Ok(first.await.doing("finding a question's chat message")?.map(|row| row.id.into()))
}

fn active(message: &Message) -> ActiveModel {
    ActiveModel {
        id: Set(message.id.0),
        conversation_id: Set(message.conversation_id.0),
        sender_type: Set(message.sender_type.to_string()),
        sender_id: Set(message.sender_id.clone()),
        message: Set(message.message.clone()),
        message_type: Set(message.message_type.to_string()),
        parent_message_id: Set(message.parent_message_id.map(|id| id.0)),
        question_id: Set(message.question_id.map(|id| id.0)),
        created_at: Set(message.created_at.0),
    }
}

impl TryFrom<Model> for Message {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            conversation_id: row.conversation_id.into(),
            sender_type: word("messages.sender_type", &row.sender_type)?,
            sender_id: row.sender_id,
            message: row.message,
            message_type: word("messages.message_type", &row.message_type)?,
            parent_message_id: row.parent_message_id.map(Into::into),
            question_id: row.question_id.map(Into::into),
            created_at: Timestamp(row.created_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_also_when_the_clock_goes_back() {
        let ahead = Uuid::from_u128(MessageId::new().0.as_u128() + (1_u128 << 100));
        let first = next_id(Some(ahead));
        let second = next_id(Some(first.0));
        assert!(ahead < first.0 && first.0 < second.0);
        assert!(next_id(None).0 < ahead);
    }
}
