//! Cancelling a task.

use serde_json::json;
use shopfloor_domain::{TaskId, Timestamp};

use super::{Cancelled, row::lock};
use crate::{
    Result, Store, StoreError, audit,
    orders::{self, CancelOutcome},
    tx::retrying,
};

/// Cancels a task, or asks its worker to. Open questions are cancelled with it. A second request while the first is being
/// confirmed gives the same answer.
///
/// # Errors
/// `NotFound`; `Conflict` when it is over; `Database`.
pub async fn cancel(store: &Store, id: TaskId, by: &str, now: Timestamp) -> Result<Cancelled> {
    retrying(|| cancel_once(store, id, by, now)).await
}

async fn cancel_once(store: &Store, id: TaskId, by: &str, now: Timestamp) -> Result<Cancelled> {
    let tx = store.begin("cancelling a task").await?;
    let Some(order) = orders::lock_live(&tx, id).await? else {
        let task = lock(&tx, id).await?;
        let (what, state) = (format!("task {id}"), task.status.to_string());
        return Err(StoreError::Conflict { what, tried: "cancelled", state });
    };
    let (run, asked_before) = (order.run_id, order.cancel_requested_at.is_some());
    let outcome = orders::cancel_live(&tx, order, by, now).await?;
    let task = lock(&tx, id).await?;
    if !asked_before {
        let (CancelOutcome::Now(order) | CancelOutcome::Requested(order)) = &outcome;
        let payload = json!({"task_id": id, "order_id": order.id, "order_status": order.status});
        audit::write(&tx, Some(run), None, "task.cancelled", by, payload, now).await?;
    }
    tx.commit().await?;
    Ok(match outcome {
        CancelOutcome::Now(_) => Cancelled::Now(task),
        CancelOutcome::Requested(_) => Cancelled::Requested(task),
    })
}
