//! Tasks.

mod look;
mod steer;
mod submit;

pub(crate) use steer::retry;
pub(crate) use submit::submit_one;

use axum::{Json as Reply, extract::State};
use futures::{StreamExt, TryStreamExt, stream};
use shopfloor_domain::TaskId;
use shopfloor_store::tasks::{self, Task};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayRead, MaySubmit},
    error::Result,
    extract::{Json, Key, Query},
    views::{
        page::PageOut,
        tasks::{PatchIn, TaskOut, TaskQuery},
    },
};

/// Orders that a list looks up at once.
const ABREAST: usize = 8;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_tasks, submit::submit_task))
        .routes(routes!(submit::submit_tasks))
        .routes(routes!(get_task, update_task))
        .merge(steer::router())
        .merge(look::router())
}

/// Lists tasks, newest first.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(TaskQuery),
    responses((status = 200, description = "A page of tasks", body = PageOut<TaskOut>)))]
async fn list_tasks(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<TaskQuery>,
) -> Result<Reply<PageOut<TaskOut>>> {
    let page = query.page()?;
    let page = tasks::list(&state.store, &query.filter(), &page).await?;
    Ok(Reply(PageOut { items: render_all(&state, page.items).await?, next: page.next }))
}

/// Shows a task.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, description = "The task", body = TaskOut)))]
async fn get_task(_: MayRead, State(state): State<AppState>, Key(id): Key<TaskId>) -> Result<Reply<TaskOut>> {
    let task = tasks::get(&state.store, id).await?;
    render(&state, task).await.map(Reply)
}

/// Edits a task's descriptive fields and its priority.
#[utoipa::path(patch, path = "/tasks/{id}", tag = "tasks", params(("id" = TaskId, Path)), request_body = PatchIn,
    responses((status = 200, description = "The task", body = TaskOut), (status = 409, description = "The task is over")))]
async fn update_task(
    _: MaySubmit,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
    Json(body): Json<PatchIn>,
) -> Result<Reply<TaskOut>> {
    let task = tasks::update(&state.store, id, body.patch()?, state.now()).await?;
    let task = render(&state, task).await?;
    state.publish(&[task.order_id()]).await;
    Ok(Reply(task))
}

/// A task with its newest order.
pub(crate) async fn render(state: &AppState, task: Task) -> Result<TaskOut> {
    let order = tasks::newest_order(&state.store, task.id).await?;
    Ok(TaskOut::new(task, order))
}

/// Tasks with their newest orders, in the same order.
async fn render_all(state: &AppState, tasks: Vec<Task>) -> Result<Vec<TaskOut>> {
    stream::iter(tasks).map(|task| render(state, task)).buffered(ABREAST).try_collect().await
}
