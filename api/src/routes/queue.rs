//! Queues and the worker protocol.

pub(crate) mod claim;
mod dead;
pub(crate) mod report;

use axum::{Json as Reply, extract::State, http::StatusCode};
use serde_json::Value;
use shopfloor_domain::{Name, Priority};
use shopfloor_store::{StoreError, queues};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayOperate, MayRead, MaySubmit},
    error::{ApiError, Result},
    extract::{Json, Key, from_value},
    metrics::open_questions,
    routes::tasks::{retry, submit_one},
    submit::idempotency_key,
    views::{
        page::ListOut,
        queue::{ByPriority, EnqueueIn, EnqueueTaskIn, QueueOut, StatusOut},
        tasks::TaskOut,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_queue_status))
        .routes(routes!(enqueue))
        .routes(routes!(pause_queue))
        .routes(routes!(resume_queue))
        .merge(report::router())
        .merge(dead::router())
}

/// Shows how many orders wait and run, per queue and priority.
#[utoipa::path(get, path = "/queue/status", tag = "queue",
    responses((status = 200, description = "The state of every queue", body = StatusOut)))]
async fn get_queue_status(_: MayRead, State(state): State<AppState>) -> Result<Reply<StatusOut>> {
    let at = state.now();
    let depth = state.queue.depth(at).await?;
    let ready = |priority| depth.iter().filter(|row| row.priority == priority).map(|row| row.ready).sum();
    let ready = ByPriority { high: ready(Priority::High), normal: ready(Priority::Normal), low: ready(Priority::Low) };
    let queues = ListOut::of(queues::list(&state.store).await?).items;
    let open_questions = open_questions(&state).await?;
    let depth = ListOut::of(depth).items;
    Ok(Reply(StatusOut { mode: state.queue.mode(), queues, depth, ready, open_questions, at }))
}

/// Queues work: submits a task, or with `{"task_id"}` runs a failed or cancelled one again.
#[utoipa::path(post, path = "/queue/enqueue", tag = "queue", request_body = EnqueueIn,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same task")),
    responses((status = 201, description = "Queued", body = TaskOut),
        (status = 200, description = "Submitted before with the same key", body = TaskOut),
        (status = 409, description = "The task has not failed")))]
async fn enqueue(
    MaySubmit(caller): MaySubmit,
    State(state): State<AppState>,
    headers: axum::http::HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Reply<TaskOut>)> {
    if body.get("task_id").is_some() {
        let again: EnqueueTaskIn = from_value(body)?;
        return retry(&state, &caller.actor(), again.task_id).await;
    }
    submit_one(&state, &caller, idempotency_key(&headers)?, from_value(body)?).await
}

/// Pauses a queue: claims pass it by; what runs goes on.
#[utoipa::path(post, path = "/queue/{name}/pause", tag = "queue", params(("name" = Name, Path)),
    responses((status = 200, description = "The queue", body = QueueOut)))]
async fn pause_queue(
    MayOperate(caller): MayOperate,
    State(state): State<AppState>,
    Key(name): Key<Name>,
) -> Result<Reply<QueueOut>> {
    known(&state, &name).await?;
    state.queue.pause(&name, &caller.actor(), state.now()).await?;
    known(&state, &name).await.map(Reply)
}

/// Resumes a queue.
#[utoipa::path(post, path = "/queue/{name}/resume", tag = "queue", params(("name" = Name, Path)),
    responses((status = 200, description = "The queue", body = QueueOut)))]
async fn resume_queue(
    MayOperate(caller): MayOperate,
    State(state): State<AppState>,
    Key(name): Key<Name>,
) -> Result<Reply<QueueOut>> {
    known(&state, &name).await?;
    state.queue.resume(&name, &caller.actor(), state.now()).await?;
    known(&state, &name).await.map(Reply)
}

/// The queue of this name. A mistyped name must not look like a queue that was paused.
async fn known(state: &AppState, name: &Name) -> Result<QueueOut> {
    let queues = queues::list(&state.store).await.map_err(|error: StoreError| ApiError::from(error))?;
    let found = queues.into_iter().find(|queue| queue.name == *name);
    found.map(Into::into).ok_or_else(|| ApiError::not_found("queue", name))
}
