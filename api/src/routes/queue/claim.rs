//! Claims orders for workers in any language.

use std::time::Duration;

use axum::{Json as Reply, extract::State};
use shopfloor_domain::Timestamp;
use shopfloor_store::{
    orders::{ClaimRequest, ClaimedOrder},
    tasks, workers,
};
use tokio::time::Instant;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::MayWork,
    error::{ApiError, Result},
    external,
    extract::Json,
    limits, live,
    views::{
        queue::{ClaimIn, ClaimedOut, ClaimsOut},
        tasks::TaskOut,
        text,
        workers::capabilities,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(claim_orders))
}

/// Claims due orders, and waits for some when asked to. Each comes with the epoch that every report about it must show, and
/// with a lease: renew it with `/queue/renew`. A claim whose answer never arrived is taken back when its lease runs out.
#[utoipa::path(post, path = "/queue/claim", tag = "queue", request_body = ClaimIn,
    responses((status = 200, description = "Orders in hand; none when there was nothing", body = ClaimsOut),
        (status = 404, description = "The worker is not registered"),
        (status = 409, description = "The worker has been removed")))]
async fn claim_orders(
    _: MayWork,
    State(state): State<AppState>,
    Json(body): Json<ClaimIn>,
) -> Result<Reply<ClaimsOut>> {
    let wait = text::within("wait_seconds", body.wait_seconds.unwrap_or(0), 0, limits::WAIT_SECONDS)?;
    let _permit = live::permit(&state)?;
    let request = request(&state, body).await?;
    let (claimed, at) = claim(&state, &request, Duration::from_secs(wait)).await?;
    let mut orders = Vec::with_capacity(claimed.len());
    for claimed in claimed {
        match render(&state, claimed).await {
            // It was taken away again since: not this worker's any more.
            Err(error) if error.is_fenced() => {}
            order => orders.push(order?),
        }
    }
    Ok(Reply(ClaimsOut { orders, lease_expires_at: at + request.lease }))
}

/// The checked request; what the body leaves out is as registered.
async fn request(state: &AppState, body: ClaimIn) -> Result<ClaimRequest> {
    let worker = workers::get(&state.store, body.worker_id).await?;
    if worker.removed_at.is_some() {
        return Err(ApiError::conflict("this worker has been removed").remedy("drain, leave and register a new one"));
    }
    let request = ClaimRequest {
        worker_id: worker.id,
        queues: body.queues.unwrap_or(worker.queues),
        capabilities: body.capabilities.unwrap_or(worker.capabilities),
        limit: text::within("limit", body.limit.unwrap_or(1), 1, ClaimRequest::MAX)?,
        lease: lease(state, body.lease_seconds)?,
    };
    capabilities("capabilities", &request.capabilities)?;
    text::at_most("queues", &request.queues, limits::LIST)?;
    Ok(request)
}

/// A checked lease, or the usual one.
pub(super) fn lease(state: &AppState, seconds: Option<u64>) -> Result<Duration> {
    match seconds {
        None => Ok(state.settings.lease.ttl),
        Some(seconds) => text::within("lease_seconds", seconds, 1, limits::LEASE_SECONDS).map(Duration::from_secs),
    }
}

/// Claims; while there is nothing, waits for the queue's call and claims again.
async fn claim(state: &AppState, request: &ClaimRequest, wait: Duration) -> Result<(Vec<ClaimedOrder>, Timestamp)> {
    let deadline = Instant::now() + wait;
    let mut woken = false;
    loop {
        let (now, sent_at) = (state.now(), Instant::now());
        let claimed = state.queue.claim(request, now).await?;
        count(state, &claimed, sent_at.elapsed(), now);
        if woken {
            let kind = if claimed.is_empty() { "empty" } else { "work" };
            state.metrics.wakeups.with_label_values(&[kind]).inc();
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if !claimed.is_empty() || left.is_zero() || state.stop.is_cancelled() {
            return Ok((claimed, now));
        }
        tokio::select! {
            () = state.stop.cancelled() => {}
            () = state.queue.wait(request, left) => woken = true,
        }
    }
}

/// As a worker of ours counts its own claims.
fn count(state: &AppState, claimed: &[ClaimedOrder], took: Duration, now: Timestamp) {
    let metrics = &state.metrics;
    metrics.claim.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
    metrics.claim_batch.with_label_values::<&str>(&[]).observe(claimed.len() as f64);
    for ClaimedOrder { order, .. } in claimed {
        let waited = now.since(order.run_at).as_secs_f64();
        metrics.order_wait.with_label_values(&[order.priority.as_str()]).observe(waited);
    }
}

async fn render(state: &AppState, claimed: ClaimedOrder) -> Result<ClaimedOut> {
    let task = tasks::get(&state.store, claimed.order.task_id).await?;
    let fence = claimed.fence();
    let answers = external::answers(state, &claimed).await?;
    let task = TaskOut::new(task, claimed.order.clone());
    let execution_id = claimed.execution_id();
    let ClaimedOrder { order, session_id, run: _ } = claimed;
    Ok(ClaimedOut { order: order.into(), session_id, execution_id, fence, task, answers })
}
