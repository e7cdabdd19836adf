//! What workers report about the orders they hold. Every report shows the epoch of its claim.

use axum::{Json as Reply, extract::State};
use shopfloor_domain::{Fence, order::OrderStatus, session::EndReason};
use shopfloor_store::{
    StoreError,
    orders::{self, Order, Verdict},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::claim::lease;
use crate::{
    app::AppState,
    auth::MayWork,
    error::Result,
    external,
    extract::Json,
    limits,
    views::{
        queue::{CompleteIn, FailIn, OrderOut, ParkIn, ParkedOut, ReleaseIn, RenewIn, RenewalsOut, RenewedOut},
        text,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(renew_leases))
        .routes(routes!(complete_order))
        .routes(routes!(fail_order))
        .routes(routes!(release_order))
        .routes(routes!(park_order))
}

/// Renews leases. What comes back as `lost` belongs to somebody else by now.
#[utoipa::path(post, path = "/queue/renew", tag = "queue", request_body = RenewIn,
    responses((status = 200, description = "What became of each lease", body = RenewalsOut)))]
async fn renew_leases(
    _: MayWork,
    State(state): State<AppState>,
    Json(body): Json<RenewIn>,
) -> Result<Reply<RenewalsOut>> {
    text::at_most("held", &body.held, limits::LIST)?;
    let lease = lease(&state, body.lease_seconds)?;
    let held: Vec<_> = body.held.iter().map(|held| held.fence()).collect();
    let renewed = state.queue.renew(body.worker_id, &held, lease, state.now()).await?;
    let items = held.into_iter().zip(renewed).map(|(fence, renewed)| RenewedOut::new(fence, renewed)).collect();
    Ok(Reply(RenewalsOut { items }))
}

/// Ends an order with a result.
#[utoipa::path(post, path = "/queue/complete", tag = "queue", request_body = CompleteIn,
    responses((status = 200, description = "The order", body = OrderOut),
        (status = 409, description = "`stale_epoch`: the order is no longer the caller's")))]
async fn complete_order(
    _: MayWork,
    State(state): State<AppState>,
    Json(body): Json<CompleteIn>,
) -> Result<Reply<OrderOut>> {
    text::json("result", &body.result, limits::RESULT_BYTES)?;
    finish(&state, body.fence(), Verdict::Completed { result: body.result }).await
}

/// Ends an attempt without success: for good, or until the next attempt with `retry`.
#[utoipa::path(post, path = "/queue/fail", tag = "queue", request_body = FailIn,
    responses((status = 200, description = "The order", body = OrderOut),
        (status = 409, description = "`stale_epoch`: the order is no longer the caller's")))]
async fn fail_order(_: MayWork, State(state): State<AppState>, Json(body): Json<FailIn>) -> Result<Reply<OrderOut>> {
    let fence = body.fence();
    let error = text::said("error", body.error)?;
    if let Some(result) = &body.result {
        text::json("result", result, limits::RESULT_BYTES)?;
    }
    let verdict = match body.retry {
        false => Verdict::Failed { error, result: body.result },
        true => retry(&state, fence, error).await?,
    };
    finish(&state, fence, verdict).await
}

/// Hands an order back unharmed; no attempt is burnt. With `cancelled`, confirms a requested cancellation instead.
#[utoipa::path(post, path = "/queue/release", tag = "queue", request_body = ReleaseIn,
    responses((status = 200, description = "The order", body = OrderOut),
        (status = 409, description = "`stale_epoch`: the order is no longer the caller's")))]
async fn release_order(
    _: MayWork,
    State(state): State<AppState>,
    Json(body): Json<ReleaseIn>,
) -> Result<Reply<OrderOut>> {
    let released = Verdict::Released { reason: EndReason::Released };
    let verdict = if body.cancelled { Verdict::Cancelled } else { released };
    finish(&state, body.fence(), verdict).await
}

/// Puts a question to people and parks the order: lease and slot are free until the answer, or the deadline, queues it
/// again. The claim that resumes it brings the answer. For orders of external pipelines; the attempt is given back.
#[utoipa::path(post, path = "/queue/park", tag = "queue", request_body = ParkIn,
    responses((status = 200, description = "The order and its question", body = ParkedOut),
        (status = 409, description = "`stale_epoch`: the order is no longer the caller's; `conflict`: its pipeline is not \
            external, or the question has been answered")))]
async fn park_order(_: MayWork, State(state): State<AppState>, Json(body): Json<ParkIn>) -> Result<Reply<ParkedOut>> {
    let fence = body.fence();
    let question = external::ask(&state, fence, body.question).await?;
    let Reply(order) = finish(&state, fence, Verdict::Parked).await?;
    Ok(Reply(ParkedOut { order, question: question.into() }))
}

/// Another attempt, after the backoff of the present one.
async fn retry(state: &AppState, fence: Fence, error: String) -> Result<Verdict> {
    let attempt = held(state, fence, "retry").await?.attempt;
    Ok(Verdict::Retry { error, after: state.settings.retry.backoff(attempt, rand::random()) })
}

/// The order of a claim that is still valid. To look before writing; what is written is guarded by itself.
pub(crate) async fn held(state: &AppState, fence: Fence, op: &'static str) -> Result<Order> {
    let order = match orders::get(&state.store, fence.order_id).await {
        Err(StoreError::NotFound { .. }) => None,
        found => Some(found?),
    };
    let held = order.filter(|order| order.status == OrderStatus::Claimed && order.epoch == fence.epoch);
    held.ok_or_else(|| StoreError::Fenced { fence, op }.into())
}

async fn finish(state: &AppState, fence: Fence, verdict: Verdict) -> Result<Reply<OrderOut>> {
    let now = state.now();
    let order = state.queue.finish(fence, verdict, now).await?;
    let ran = now.since(order.claimed_at.unwrap_or(now));
    state.metrics.order_run.with_label_values::<&str>(&[]).observe(ran.as_secs_f64());
    if order.completed_at.is_some() {
        state.metrics.orders_finished.with_label_values(&[order.status.as_str()]).inc();
    }
    Ok(Reply(order.into()))
}
