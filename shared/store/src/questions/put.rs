//! Putting a question to people.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;
use shopfloor_domain::{
    ApprovalId, QuestionId, StepId, Timestamp,
    event::EventKind,
    machine::Machine as _,
    message::{MessageType, SenderType},
    question::{QuestionKind, QuestionStatus, Rung},
};

use super::{
    NewQuestion, Question,
    row::{active, payload, records},
};
use crate::{
    Result, StoreError,
    entity::{
        approval,
        question::{Column, Entity},
        task,
    },
    error::Doing as _,
    messages::{self, NewMessage},
    orders::Order,
    rows::{clean, clean_json},
    tx::Tx,
};

const DOING: &str = "putting a question";

/// The question that a step has asked; one that was cancelled does not count.
pub(crate) async fn asked_by(tx: &Tx, step: StepId) -> Result<Option<Question>> {
    let lasting =
        Entity::find().filter(Column::StepId.eq(step.0)).filter(Column::Status.ne(QuestionStatus::Cancelled.as_str()));
    let row = lasting.one(tx.db()).await.doing(DOING)?;
    let read = records(tx.db(), row.into_iter().collect()).await?;
    Ok(read.into_iter().next())
}

/// Writes a question of a locked order: its row, its approval, its chat message and its event.
pub(crate) async fn put(tx: &Tx, order: &Order, step: StepId, new: &NewQuestion, now: Timestamp) -> Result<Question> {
    let task = task::Entity::find_by_id(order.task_id.0).one(tx.db()).await.doing(DOING)?;
    let task = task.ok_or_else(|| StoreError::not_found("task", order.task_id))?;
    let question = Question {
        id: QuestionId::new(),
        task_id: order.task_id,
        task_title: task.title,
        order_id: order.id,
        step_id: step,
        epoch: order.epoch,
        kind: new.kind,
        prompt: clean(&new.prompt),
        schema: clean_json(new.schema.clone()),
        options: new.options.iter().cloned().map(clean_json).collect(),
        audience: clean(&new.audience),
        default: new.default.clone().map(clean_json),
        on_deadline: new.on_deadline,
        status: QuestionStatus::INITIAL,
        rung: Rung::Asked,
        created_at: now,
        asked_at: now,
        deadline_at: new.deadline_at,
        answer: None,
        answered_by: None,
        answered_at: None,
    };
    active(&question).insert(tx.db()).await.doing(DOING)?;
    if question.kind == QuestionKind::Approval {
        await_decision(tx, &question).await?;
    }
    let sender = order.worker_id.map_or_else(|| "worker".to_owned(), |worker| worker.to_string());
    let message = NewMessage {
        conversation_id: order.task_id.into(),
        sender_type: SenderType::Worker,
        sender_id: sender,
        message: question.prompt.clone(),
        message_type: MessageType::Request,
        parent_message_id: None,
    };
    messages::write(tx, message, Some(question.id), now).await?;
    let mut asked = payload(&question);
    asked["options"] = json!(question.options);
    asked["schema"] = question.schema.clone();
    tx.event(EventKind::QuestionAsked, Some(order.task_id), Some(order.id), asked, now);
    Ok(question)
}

async fn await_decision(tx: &Tx, question: &Question) -> Result<()> {
    let row = approval::ActiveModel {
        id: Set(ApprovalId::new().0),
        step_id: Set(question.step_id.0),
        question_id: Set(question.id.0),
        status: Set("pending".to_owned()),
        comment: Set(None),
        decided_by: Set(None),
        decided_at: Set(None),
    };
    row.insert(tx.db()).await.doing(DOING).map(|_| ())
}
