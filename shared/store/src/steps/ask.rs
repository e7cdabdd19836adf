//! A step that waits for a person.

use shopfloor_domain::{
    Fence, StepId, Timestamp,
    question::QuestionStatus,
    step::{StepEvent, StepStatus},
};

use super::{
    Step,
    row::{moved, of_order, save},
};
use crate::{
    Result, Store, StoreError, orders,
    questions::{self, NewQuestion, Question},
    tx::retrying,
};

/// Puts a question for a running step and sets it to `waiting`: question row, chat message, events (and approval row for
/// an approval), in one transaction. Asking again for the same step returns the question that is there, unless that one
/// was cancelled with a dead order that has been re-queued since.
///
/// # Errors
/// `Fenced`; `Conflict` when the step is over; `NotFound` when it is no step of this order's run.
pub async fn ask(store: &Store, fence: Fence, step: StepId, question: NewQuestion, now: Timestamp) -> Result<Question> {
    retrying(|| ask_once(store, fence, step, &question, now)).await
}

async fn ask_once(store: &Store, fence: Fence, step: StepId, new: &NewQuestion, now: Timestamp) -> Result<Question> {
    let tx = store.begin("putting a question").await?;
    let order = orders::lock_claimed(&tx, fence, "ask", now).await?;
    let before = of_order(&tx, &order, step).await?;
    if let Some(there) = questions::asked_by(&tx, step).await? {
        return Ok(there);
    }
    if before.status != StepStatus::Waiting {
        let after = moved(&before, StepEvent::Asked, &order, now)?;
        save(&tx, &before, &after, now).await?;
    }
    let question = questions::put(&tx, &order, step, new, now).await?;
    tx.commit().await?;
    Ok(question)
}

/// Takes a waiting step whose question is closed back to `running`. A step that runs already is returned as it is.
///
/// # Errors
/// `Fenced`; `Conflict` while the question is open or when the step is over.
pub async fn answered(store: &Store, fence: Fence, step: StepId, now: Timestamp) -> Result<Step> {
    retrying(|| answered_once(store, fence, step, now)).await
}

async fn answered_once(store: &Store, fence: Fence, step: StepId, now: Timestamp) -> Result<Step> {
    let tx = store.begin("taking up an answered step").await?;
    let order = orders::lock_claimed(&tx, fence, "answered_step", now).await?;
    let before = of_order(&tx, &order, step).await?;
    if before.status == StepStatus::Running {
        return Ok(before);
    }
    match questions::asked_by(&tx, step).await? {
        Some(question) if question.status == QuestionStatus::Open => {
            let (what, state) = (format!("step `{}` ({step})", before.name), before.status.to_string());
            return Err(StoreError::Conflict { what, tried: "taken up", state });
        }
        _ => {}
    }
    let after = moved(&before, StepEvent::Answered, &order, now)?;
    save(&tx, &before, &after, now).await?;
    tx.commit().await?;
    Ok(after)
}
