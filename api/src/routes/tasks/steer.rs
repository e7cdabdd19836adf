//! Cancels and retries tasks.

use axum::{Json as Reply, extract::State, http::StatusCode};
use shopfloor_domain::{TaskId, order::OrderStatus};
use shopfloor_store::tasks::{self, Cancelled};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::render;
use crate::{app::AppState, auth::MaySubmit, error::Result, extract::Key, submit::announce, views::tasks::TaskOut};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(cancel_task)).routes(routes!(retry_task))
}

/// Cancels a task. A running one is cancelled when its worker confirms.
#[utoipa::path(post, path = "/tasks/{id}/cancel", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, description = "Cancelled", body = TaskOut),
        (status = 202, description = "The worker has been asked to stop", body = TaskOut),
        (status = 409, description = "The task is over")))]
async fn cancel_task(
    MaySubmit(caller): MaySubmit,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
) -> Result<(StatusCode, Reply<TaskOut>)> {
    let (status, task) = match tasks::cancel(&state.store, id, &caller.actor(), state.now()).await? {
        Cancelled::Now(task) => (StatusCode::OK, render(&state, task).await?),
        Cancelled::Requested(task) => (StatusCode::ACCEPTED, render(&state, task).await?),
    };
    if status == StatusCode::OK {
        state.metrics.orders_finished.with_label_values(&[OrderStatus::Cancelled.as_str()]).inc();
        state.withdraw(&[task.order_id()]).await;
    }
    Ok((status, Reply(task)))
}

/// Runs a failed or cancelled task again from the beginning.
#[utoipa::path(post, path = "/tasks/{id}/retry", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 201, description = "Queued again", body = TaskOut),
        (status = 409, description = "The task has not failed")))]
async fn retry_task(
    MaySubmit(caller): MaySubmit,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
) -> Result<(StatusCode, Reply<TaskOut>)> {
    retry(&state, &caller.actor(), id).await
}

/// Gives a task a new order and publishes it.
pub(crate) async fn retry(state: &AppState, by: &str, id: TaskId) -> Result<(StatusCode, Reply<TaskOut>)> {
    let submitted = tasks::retry(&state.store, id, by, state.now()).await?;
    announce(state, std::slice::from_ref(&submitted)).await;
    Ok((StatusCode::CREATED, Reply(render(state, submitted.task).await?)))
}
