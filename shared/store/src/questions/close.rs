//! Closing a question, by whatever closes it.

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    prelude::Expr,
};
use serde_json::{Value, json};
use shopfloor_domain::{
    OrderId, QuestionId, RunId, Timestamp,
    event::EventKind,
    machine::Machine as _,
    message::{MessageType, SenderType},
    question::{OnDeadline, QuestionEvent, QuestionKind, QuestionStatus, Rung},
};

use super::{
    Question,
    row::{active, payload, records},
};
use crate::{
    Result, StoreError, audit,
    entity::{
        approval,
        question::{Column, Entity},
        step,
    },
    error::Doing as _,
    messages::{self, NewMessage},
    orders,
    tx::Tx,
};

const DOING: &str = "closing a question";
/// Who answers when nobody did.
pub(super) const DEADLINE: &str = "deadline";

/// An answer on its way into the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing<'a> {
    /// Answered by a person, or expired.
    pub(super) event: QuestionEvent,
    pub(super) answer: &'a Value,
    pub(super) by: &'a str,
}

/// Locks a question and with it, first, its order, as everybody does who parks or resumes.
pub(super) async fn lock(tx: &Tx, id: QuestionId) -> Result<Question> {
    let missing = || StoreError::not_found("question", id);
    let seen = Entity::find_by_id(id.0).one(tx.db()).await.doing(DOING)?.ok_or_else(missing)?;
    orders::lock(tx, OrderId(seen.order_id)).await?;
    let row = Entity::find_by_id(id.0).lock_exclusive().one(tx.db()).await.doing(DOING)?.ok_or_else(missing)?;
    records(tx.db(), vec![row]).await?.into_iter().next().ok_or_else(missing)
}

/// Closes a locked, open question with an answer: row, approval, chat message, event, audit entry, and the parked order
/// back to the queue. Returns the question and the order that was resumed.
pub(super) async fn close(
    tx: &Tx,
    open: &Question,
    closing: Closing<'_>,
    now: Timestamp,
) -> Result<(Question, Option<OrderId>)> {
    let mut closed = open.clone();
    closed.status = next(open, closing.event)?;
    closed.answer = Some(closing.answer.clone());
    closed.answered_by = Some(closing.by.to_owned());
    closed.answered_at = Some(now);
    if closing.event == QuestionEvent::Expired {
        closed.rung = Rung::Due;
    }
    active(&closed).update(tx.db()).await.doing(DOING)?;
    if closed.kind == QuestionKind::Approval {
        decide(tx, &closed, closing, now).await?;
    }
    say(tx, &closed, closing, now).await?;
    tx.event(EventKind::QuestionClosed, Some(closed.task_id), Some(closed.order_id), payload(&closed), now);
    let resumed = orders::resume_parked(tx, closed.order_id, now).await?;
    record(tx, &closed, now).await?;
    Ok((closed, resumed.map(|order| order.id)))
}

/// Closes a locked, open question whose deadline has passed with its default, or with a rejection.
pub(super) async fn expire(tx: &Tx, open: &Question, now: Timestamp) -> Result<(Question, Option<OrderId>)> {
    let fallback = match (open.on_deadline, &open.default) {
        (OnDeadline::Default, Some(default)) => default.clone(),
        _ if open.kind == QuestionKind::Approval => json!({"approved": false, "comment": "deadline passed"}),
        _ => json!({"rejected": true}),
    };
    close(tx, open, Closing { event: QuestionEvent::Expired, answer: &fallback, by: DEADLINE }, now).await
}

/// Cancels the open questions of an order that was locked in this transaction.
pub(crate) async fn cancel_open(tx: &Tx, order: OrderId, now: Timestamp) -> Result<()> {
    let open = Expr::cust("status = 'open'");
    let rows =
        Entity::find().filter(Column::OrderId.eq(order.0)).filter(open).order_by_asc(Column::Id).lock_exclusive();
    let rows = rows.all(tx.db()).await.doing(DOING)?;
    for question in records(tx.db(), rows).await? {
        let cancelled = Question { status: next(&question, QuestionEvent::Cancelled)?, ..question };
        active(&cancelled).update(tx.db()).await.doing(DOING)?;
        decided(tx, cancelled.id, "cancelled", None, None, now).await?;
        let (task, order) = (Some(cancelled.task_id), Some(cancelled.order_id));
        tx.event(EventKind::QuestionClosed, task, order, payload(&cancelled), now);
    }
    Ok(())
}

/// The status after `event`; `Conflict` names the question when the move is not legal.
pub(super) fn next(question: &Question, event: QuestionEvent) -> Result<QuestionStatus> {
    question.status.step(event).map_err(|illegal| StoreError::Conflict {
        what: format!("question {}", question.id),
        tried: event.as_str(),
        state: illegal.state.to_string(),
    })
}

/// Whether an approval's answer approves. `Invalid` when it does not say.
pub(super) fn approved(answer: &Value) -> Result<bool> {
    answer.get("approved").and_then(Value::as_bool).ok_or_else(|| StoreError::Invalid {
        field: "answer",
        problem: "an approval's answer is an object with `approved` (true or false)".to_owned(),
    })
}

async fn decide(tx: &Tx, closed: &Question, closing: Closing<'_>, now: Timestamp) -> Result<()> {
    let status = if approved(closing.answer)? { "approved" } else { "rejected" };
    let comment = closing.answer.get("comment").and_then(Value::as_str);
    decided(tx, closed.id, status, comment, Some(closing.by), now).await
}

async fn decided(
    tx: &Tx,
    question: QuestionId,
    status: &str,
    comment: Option<&str>,
    by: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    use approval::{Column, Entity};
    let update = Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::Comment, Expr::value(comment.map(str::to_owned)))
        .col_expr(Column::DecidedBy, Expr::value(by.map(str::to_owned)))
        .col_expr(Column::DecidedAt, Expr::value(now.0))
        .filter(Column::QuestionId.eq(question.0))
        .exec(tx.db());
    update.await.doing("recording a decision").map(|_| ())
}

/// The answer as a chat message below the question's.
async fn say(tx: &Tx, closed: &Question, closing: Closing<'_>, now: Timestamp) -> Result<()> {
    let (sender_type, message) = match closing.event {
        QuestionEvent::Expired => (
            SenderType::System,
            format!("The deadline passed. Recorded instead: {}", spoken(closed.kind, closing.answer)),
        ),
        _ => (SenderType::Human, spoken(closed.kind, closing.answer)),
    };
    let message = NewMessage {
        conversation_id: closed.task_id.into(),
        sender_type,
        sender_id: closing.by.to_owned(),
        message,
        message_type: MessageType::Response,
        parent_message_id: messages::asking(tx, closed.id).await?,
    };
    messages::write(tx, message, Some(closed.id), now).await.map(|_| ())
}

/// An answer as people read it.
fn spoken(kind: QuestionKind, answer: &Value) -> String {
    if kind == QuestionKind::Approval {
        let decision = if answer["approved"] == true { "Approved" } else { "Rejected" };
        return match answer["comment"].as_str().filter(|comment| !comment.is_empty()) {
            Some(comment) => format!("{decision}: {comment}"),
            None => format!("{decision}."),
        };
    }
    match answer {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The audit entry; last, because entries are written one transaction at a time.
async fn record(tx: &Tx, closed: &Question, now: Timestamp) -> Result<()> {
    let event = match (closed.kind, closed.status) {
        (_, QuestionStatus::Expired) => "question.expired",
        (QuestionKind::Approval, _) => "approval.decided",
        _ => "question.answered",
    };
    let row = step::Entity::find_by_id(closed.step_id.0).one(tx.db()).await.doing(DOING)?;
    let run = row.map(|row| RunId(row.run_id));
    let actor = closed.answered_by.as_deref().unwrap_or(DEADLINE);
    let payload =
        json!({"question_id": closed.id, "task_id": closed.task_id, "kind": closed.kind, "answer": closed.answer});
    audit::write(tx, run, Some(closed.step_id), event, actor, payload, now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_like_sentences() {
        use QuestionKind::{Approval, Clarification};
        assert_eq!(spoken(Clarification, &json!("price")), "price");
        assert_eq!(spoken(Clarification, &json!({"a": [1]})), r#"{"a":[1]}"#);
        assert_eq!(spoken(Approval, &json!({"approved": true})), "Approved.");
        assert_eq!(spoken(Approval, &json!({"approved": false, "comment": "too dear"})), "Rejected: too dear");
    }

    #[test]
    fn an_approval_has_to_say_yes_or_no() {
        assert!(approved(&json!({"approved": true})).unwrap());
        for vague in [json!(null), json!("yes"), json!({}), json!({"approved": "yes"}), json!([true])] {
            assert!(approved(&vague).is_err(), "{vague}");
        }
    }
}
