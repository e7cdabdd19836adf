//! Submits tasks.

use axum::{
    Json as Reply,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use shopfloor_store::tasks;

use super::{render, render_all};
use crate::{
    app::AppState,
    auth::{Caller, MaySubmit},
    error::{ApiError, Result},
    extract::Json,
    limits,
    submit::{announce, check, idempotency_key},
    views::tasks::{BulkIn, BulkOut, SubmitIn, TaskOut},
};

/// Submits a task. With an `Idempotency-Key` the same request twice makes one task.
#[utoipa::path(post, path = "/tasks", tag = "tasks", request_body = SubmitIn,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same task")),
    responses((status = 201, description = "Submitted", body = TaskOut),
        (status = 200, description = "Submitted before with the same key", body = TaskOut)))]
pub(crate) async fn submit_task(
    MaySubmit(caller): MaySubmit,
    State(state): State<AppState>,
    headers: HeaderMap,
    Json(body): Json<SubmitIn>,
) -> Result<(StatusCode, Reply<TaskOut>)> {
    submit_one(&state, &caller, idempotency_key(&headers)?, body).await
}

/// Checks, records and publishes one task.
pub(crate) async fn submit_one(
    state: &AppState,
    caller: &Caller,
    key: Option<String>,
    body: SubmitIn,
) -> Result<(StatusCode, Reply<TaskOut>)> {
    let new = check(state, caller, body, key).await?;
    let submitted = tasks::submit(&state.store, new, state.now()).await?;
    announce(state, std::slice::from_ref(&submitted)).await;
    let status = if submitted.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Reply(render(state, submitted.task).await?)))
}

/// Submits up to 1000 tasks, all or none. With an `Idempotency-Key` the same request twice makes the tasks once.
#[utoipa::path(post, path = "/tasks/bulk", tag = "tasks", request_body = BulkIn,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same tasks")),
    responses((status = 201, description = "Submitted", body = BulkOut),
        (status = 200, description = "Submitted before with the same key", body = BulkOut)))]
pub(crate) async fn submit_tasks(
    MaySubmit(caller): MaySubmit,
    State(state): State<AppState>,
    headers: HeaderMap,
    Json(body): Json<BulkIn, { limits::BULK_BYTES }>,
) -> Result<(StatusCode, Reply<BulkOut>)> {
    let new = check_all(&state, &caller, idempotency_key(&headers)?.as_deref(), body).await?;
    let submitted = tasks::submit_bulk(&state.store, new, state.now()).await?;
    announce(&state, &submitted).await;
    let status = if submitted.iter().any(|it| it.created) { StatusCode::CREATED } else { StatusCode::OK };
    let items = render_all(&state, submitted.into_iter().map(|it| it.task).collect()).await?;
    Ok((status, Reply(BulkOut { items })))
}

/// The checked tasks; the first that does not fit is named by its place.
async fn check_all(state: &AppState, caller: &Caller, key: Option<&str>, body: BulkIn) -> Result<Vec<tasks::NewTask>> {
    if body.tasks.is_empty() || body.tasks.len() > limits::BULK_TASKS {
        return Err(ApiError::invalid("tasks", format!("must hold 1 to {} tasks", limits::BULK_TASKS)));
    }
    let mut checked = Vec::with_capacity(body.tasks.len());
    for (at, task) in body.tasks.into_iter().enumerate() {
        let key = key.map(|key| format!("{key}#{at}"));
        checked.push(check(state, caller, task, key).await.map_err(|error| error.within(&format!("tasks[{at}]")))?);
    }
    Ok(checked)
}
