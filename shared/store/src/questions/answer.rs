//! Answers: the first one wins.

use serde_json::Value;
use shopfloor_domain::{
    QuestionId, Timestamp,
    question::{OnDeadline, QuestionEvent, QuestionKind, QuestionStatus},
};

use super::{
    Answered,
    close::{Closing, approved, close, expire, lock},
};
use crate::{Result, Store, check, tx::retrying};

/// Answers a question: row, chat message, approval, events, and the parked order back to the queue, in one transaction.
/// The caller has checked `answer` against the schema. A closed question returns what is stored, with `won: false`; so
/// does one whose deadline has passed, unless its deadline is to be extended: then its default or rejection is stored
/// now, and not when a pass over the deadlines happens to come along.
///
/// # Errors
/// `NotFound`; `Invalid` for a NUL, or when the answer to an approval does not say whether it approves.
pub async fn answer(store: &Store, id: QuestionId, answer: Value, by: &str, now: Timestamp) -> Result<Answered> {
    check::json("answer", &answer)?;
    check::text("answered_by", by)?;
    retrying(|| answer_once(store, id, &answer, by, now)).await
}

async fn answer_once(store: &Store, id: QuestionId, answer: &Value, by: &str, now: Timestamp) -> Result<Answered> {
    let tx = store.begin("answering a question").await?;
    let question = lock(&tx, id).await?;
    if question.status != QuestionStatus::Open {
        return Ok(Answered { question, won: false, resumed: None });
    }
    let late = now >= question.deadline_at && question.on_deadline != OnDeadline::Extend;
    let (question, resumed) = if late {
        expire(&tx, &question, now).await?
    } else {
        if question.kind == QuestionKind::Approval {
            approved(answer)?;
        }
        close(&tx, &question, Closing { event: QuestionEvent::Answered, answer, by }, now).await?
    };
    tx.commit().await?;
    Ok(Answered { question, won: !late, resumed })
}
