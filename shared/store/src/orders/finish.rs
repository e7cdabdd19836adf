//! A worker's verdict on the order it holds.

use shopfloor_domain::{Fence, Timestamp, execution::ExecutionStatus, order::OrderEvent, session::EndReason};

use super::{
    Order, Verdict,
    complete::Completion,
    conclude::{Ending, conclude},
    lock::lock_fenced,
    park::waits,
    together,
};
use crate::{
    Result, Store,
    tx::{Tx, retrying},
};

/// Ends a claim: order, task, run, execution, session and events in one transaction. Returns the order as it is now.
///
/// When somebody asked for the order's cancellation, a verdict that would keep it alive (retry, parked, released) cancels
/// it: the worker has stopped, and that was the wish. A completion or failure is recorded as it happened.
///
/// # Errors
/// `Fenced` when the claim is no longer valid; nothing is written then.
pub async fn finish(store: &Store, fence: Fence, verdict: Verdict, now: Timestamp) -> Result<Order> {
    match verdict {
        Verdict::Completed { result } => together::complete(store, Completion { fence, result, now }).await,
        verdict => retrying(|| finish_once(store, fence, &verdict, now)).await,
    }
}

/// Completes a claim inside a transaction. `Fenced` before anything is written.
pub(super) async fn completed_in(tx: &Tx, completion: &Completion) -> Result<Order> {
    let Completion { fence, result, now } = completion;
    finish_in(tx, *fence, &Verdict::Completed { result: result.clone() }, *now).await
}

/// Completes a claim in a transaction of its own.
pub(super) async fn complete_alone(store: &Store, completion: Completion) -> Result<Order> {
    let Completion { fence, result, now } = completion;
    let verdict = Verdict::Completed { result };
    retrying(|| finish_once(store, fence, &verdict, now)).await
}

async fn finish_once(store: &Store, fence: Fence, verdict: &Verdict, now: Timestamp) -> Result<Order> {
    let tx = store.begin("ending a claim").await?;
    let order = finish_in(&tx, fence, verdict, now).await?;
    tx.commit().await?;
    Ok(order)
}

async fn finish_in(tx: &Tx, fence: Fence, verdict: &Verdict, now: Timestamp) -> Result<Order> {
    let order = lock_fenced(tx, fence, op(verdict)).await?;
    let ending = ending(tx, &order, verdict.clone(), now).await?;
    conclude(tx, &order, ending, now).await
}

/// The `op` label of a refused verdict.
const fn op(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Completed { .. } => "complete",
        Verdict::Failed { .. } => "fail",
        Verdict::Retry { .. } => "retry",
        Verdict::Parked => "park",
        Verdict::Released { .. } => "release",
        Verdict::Cancelled => "cancel",
    }
}

async fn ending(tx: &Tx, order: &Order, verdict: Verdict, now: Timestamp) -> Result<Ending> {
    let finished = |event, execution| Ending::new(event, execution, EndReason::Finished, now);
    let unwanted = order.cancel_requested_at.is_some();
    Ok(match verdict {
        Verdict::Completed { result } => {
            Ending { result: Some(result), ..finished(OrderEvent::Completed, ExecutionStatus::Completed) }
        }
        Verdict::Failed { error, result } => {
            Ending { error: Some(error), result, ..finished(OrderEvent::Failed, ExecutionStatus::Failed) }
        }
        Verdict::Retry { error, .. } if unwanted => Ending { error: Some(error), ..Ending::cancelled(now) },
        Verdict::Cancelled => Ending::cancelled(now),
        Verdict::Parked | Verdict::Released { .. } if unwanted => Ending { give_back: true, ..Ending::cancelled(now) },
        Verdict::Retry { error, after } => {
            let last = order.attempt >= order.max_attempts;
            let event = if last { OrderEvent::Exhausted } else { OrderEvent::RetryScheduled };
            Ending { error: Some(error), run_at: now + after, ..finished(event, ExecutionStatus::Failed) }
        }
        Verdict::Parked => parked(tx, order, now).await?,
        Verdict::Released { reason } => Ending::released(reason, now),
    })
}

/// Parks, unless the answer came in the meantime. The order is locked here and by whoever answers, so one sees the other.
async fn parked(tx: &Tx, order: &Order, now: Timestamp) -> Result<Ending> {
    let event = if waits(tx, order.id).await? { OrderEvent::Parked } else { OrderEvent::Released };
    let parked = Ending::new(event, ExecutionStatus::Parked, EndReason::Parked, now);
    Ok(Ending { give_back: true, ..parked })
}
