//! The ladder of deadlines: remind, escalate, and then default, reject or extend.

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    prelude::Expr,
};
use shopfloor_domain::{
    OrderId, QuestionId, Timestamp,
    event::EventKind,
    message::{MessageType, SenderType},
    question::{self, OnDeadline, QuestionEvent, QuestionStatus, Rung},
};
use uuid::Uuid;

use super::{
    LadderPass, Question,
    close::{DEADLINE, expire, lock, next},
    ladder,
    row::{active, payload},
};
use crate::{
    PageRequest, Result, Store, StoreError,
    entity::question::{Column, Entity},
    error::Doing as _,
    messages::{self, NewMessage},
    tx::{Tx, retrying},
};

const DOING: &str = "climbing the ladder of deadlines";

/// What became of one question.
#[derive(Debug)]
enum Climbed {
    Stayed,
    Reminded,
    Escalated,
    Extended,
    Expired(Option<OrderId>),
}

/// One pass over at most `limit` open questions that have reached a new rung: remind, escalate, and at the deadline
/// default, reject or extend. Each question is a transaction of its own. Safe to run twice.
///
/// A question that cannot be moved does not keep the others from moving: the error is returned when nothing else was
/// done, and logged otherwise.
///
/// # Errors
/// `Database`.
pub async fn climb(store: &Store, limit: u32, now: Timestamp) -> Result<LadderPass> {
    let mut pass = LadderPass::default();
    let mut failed: Option<StoreError> = None;
    for id in due(store, limit, now).await? {
        match retrying(|| climb_once(store, id, now)).await {
            Ok(climbed) => note(&mut pass, id, climbed),
            Err(error) => {
                let cause = &error as &dyn std::error::Error;
                tracing::error!(question.id = %id, error = cause, "A question could not climb its ladder");
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if pass == LadderPass::default() => Err(error),
        _ => Ok(pass),
    }
}

fn note(pass: &mut LadderPass, id: QuestionId, climbed: Climbed) {
    match climbed {
        Climbed::Stayed => {}
        Climbed::Reminded => pass.reminded.push(id),
        Climbed::Escalated => pass.escalated.push(id),
        Climbed::Extended => pass.extended.push(id),
        Climbed::Expired(resumed) => {
            pass.expired.push(id);
            pass.resumed.extend(resumed);
        }
    }
}

async fn due(store: &Store, limit: u32, now: Timestamp) -> Result<Vec<QuestionId>> {
    let limit = u64::from(limit).clamp(1, PageRequest::MAX);
    let ids: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Expr::cust("status = 'open'"))
        .filter(Column::NextRungAt.lte(now.0))
        .order_by_asc(Column::NextRungAt)
        .limit(limit)
        .into_tuple()
        .all(store.read())
        .await
        .doing(DOING)?;
    Ok(ids.into_iter().map(QuestionId).collect())
}

async fn climb_once(store: &Store, id: QuestionId, now: Timestamp) -> Result<Climbed> {
    let tx = store.begin(DOING).await?;
    let question = lock(&tx, id).await?;
    let rung = question::rung(question.asked_at, question.deadline_at, now);
    if question.status != QuestionStatus::Open || rung <= question.rung {
        return Ok(Climbed::Stayed);
    }
    let climbed = match rung {
        Rung::Due if question.on_deadline == OnDeadline::Extend => {
            extend(&tx, &question, now).await?;
            Climbed::Extended
        }
        Rung::Due => Climbed::Expired(expire(&tx, &question, now).await?.1),
        Rung::Escalated => {
            let text =
                format!("Nobody has answered this question yet. It needs an answer by {}.", question.deadline_at);
            prompt(&tx, Question { rung, ..question }, text, now).await?;
            Climbed::Escalated
        }
        Rung::Reminded | Rung::Asked => {
            let text = format!("A reminder: this question is open until {}.", question.deadline_at);
            prompt(&tx, Question { rung, ..question }, text, now).await?;
            Climbed::Reminded
        }
    };
    tx.commit().await?;
    Ok(climbed)
}

/// Gives a question its original time again, from now on.
async fn extend(tx: &Tx, question: &Question, now: Timestamp) -> Result<()> {
    let deadline_at = ladder::extended(question, now);
    let extended = Question { asked_at: now, deadline_at, rung: Rung::Asked, ..question.clone() };
    let text = format!("Nobody answered this question in time. Its deadline was moved to {deadline_at}.");
    prompt(tx, extended, text, now).await
}

/// Writes the question's new rung, and says so in the chat and in the event log.
async fn prompt(tx: &Tx, question: Question, text: String, now: Timestamp) -> Result<()> {
    let question = Question { status: next(&question, QuestionEvent::Prompted)?, ..question };
    active(&question).update(tx.db()).await.doing(DOING)?;
    let message = NewMessage {
        conversation_id: question.task_id.into(),
        sender_type: SenderType::System,
        sender_id: DEADLINE.to_owned(),
        message: text,
        message_type: MessageType::Status,
        parent_message_id: messages::asking(tx, question.id).await?,
    };
    messages::write(tx, message, Some(question.id), now).await?;
    tx.event(EventKind::QuestionPrompted, Some(question.task_id), Some(question.order_id), payload(&question), now);
    Ok(())
}
