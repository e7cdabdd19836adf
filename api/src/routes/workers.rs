//! Workers.

use axum::{Json as Reply, extract::State, http::StatusCode};
use shopfloor_domain::{WorkerId, worker::WorkerStatus};
use shopfloor_store::workers;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayOperate, MayRead, MayWork},
    error::Result,
    extract::{Json, Key, MaybeJson, Query},
    views::{
        page::PageOut,
        workers::{HeartbeatIn, RegisterIn, WorkerOut, WorkerQuery},
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_workers, register_worker))
        .routes(routes!(get_worker, remove_worker))
        .routes(routes!(beat_worker))
}

/// Registers a worker, or refreshes it when the same id registers again.
#[utoipa::path(post, path = "/workers", tag = "workers", request_body = RegisterIn,
    responses((status = 201, description = "Registered", body = WorkerOut)))]
async fn register_worker(
    _: MayWork,
    State(state): State<AppState>,
    Json(body): Json<RegisterIn>,
) -> Result<(StatusCode, Reply<WorkerOut>)> {
    let worker = workers::register(&state.store, body.worker()?, state.now()).await?;
    Ok((StatusCode::CREATED, Reply(worker.into())))
}

/// Lists workers, newest first; those that are gone only on request.
#[utoipa::path(get, path = "/workers", tag = "workers", params(WorkerQuery),
    responses((status = 200, description = "A page of workers", body = PageOut<WorkerOut>)))]
async fn list_workers(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<WorkerQuery>,
) -> Result<Reply<PageOut<WorkerOut>>> {
    let include_offline = query.include_offline.unwrap_or(false);
    Ok(Reply(PageOut::of(workers::list(&state.store, include_offline, &query.page()?).await?)))
}

/// Shows a worker.
#[utoipa::path(get, path = "/workers/{id}", tag = "workers", params(("id" = WorkerId, Path)),
    responses((status = 200, description = "The worker", body = WorkerOut)))]
async fn get_worker(_: MayRead, State(state): State<AppState>, Key(id): Key<WorkerId>) -> Result<Reply<WorkerOut>> {
    Ok(Reply(workers::get(&state.store, id).await?.into()))
}

/// Removes a worker: it gets no more orders and is told to drain at its next heartbeat.
#[utoipa::path(delete, path = "/workers/{id}", tag = "workers", params(("id" = WorkerId, Path)),
    responses((status = 200, description = "The worker", body = WorkerOut)))]
async fn remove_worker(
    _: MayOperate,
    State(state): State<AppState>,
    Key(id): Key<WorkerId>,
) -> Result<Reply<WorkerOut>> {
    Ok(Reply(workers::remove(&state.store, id, state.now()).await?.into()))
}

/// Notes that a worker lives. A worker that finds `removed_at` in the answer should drain and leave.
#[utoipa::path(post, path = "/workers/{id}/heartbeat", tag = "workers", params(("id" = WorkerId, Path)),
    request_body = HeartbeatIn, responses((status = 200, description = "The worker", body = WorkerOut)))]
async fn beat_worker(
    _: MayWork,
    State(state): State<AppState>,
    Key(id): Key<WorkerId>,
    MaybeJson(body): MaybeJson<HeartbeatIn>,
) -> Result<Reply<WorkerOut>> {
    let held = workers::get(&state.store, id).await?.held;
    let usual = if held > 0 { WorkerStatus::Busy } else { WorkerStatus::Idle };
    let worker = workers::heartbeat(&state.store, id, body.status.unwrap_or(usual), state.now()).await?;
    Ok(Reply(worker.into()))
}
