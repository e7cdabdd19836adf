//! What there is to see of a task.

use axum::{Json as Reply, extract::State};
use shopfloor_domain::{TaskId, why::Reason};
use shopfloor_store::{
    artifacts,
    events::{self, Cursor, EventFilter},
    executions, steps, tasks, why,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::MayRead,
    error::Result,
    extract::{Key, Query},
    views::{
        events::{EventOut, EventQuery, cursor},
        files::ArtifactOut,
        page::{ListOut, PageOut, page},
        steps::StepOut,
        tasks::{ResultsOut, WhyOut},
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(why_task))
        .routes(routes!(list_task_steps))
        .routes(routes!(list_task_events))
        .routes(routes!(list_task_artifacts))
        .routes(routes!(get_task_results))
}

/// Names the one condition that keeps a task from running.
#[utoipa::path(get, path = "/tasks/{id}/why", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, description = "The condition", body = WhyOut)))]
async fn why_task(_: MayRead, State(state): State<AppState>, Key(id): Key<TaskId>) -> Result<Reply<WhyOut>> {
    let now = state.now();
    let facts = why::facts(&state.store, id, now).await?;
    let reason = shopfloor_domain::why::why(&facts, now);
    let sentence = sentence(&reason);
    Ok(Reply(WhyOut { reason, sentence }))
}

/// Lists a task's steps, by run and place.
#[utoipa::path(get, path = "/tasks/{id}/steps", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, description = "The steps", body = ListOut<StepOut>)))]
async fn list_task_steps(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
) -> Result<Reply<ListOut<StepOut>>> {
    tasks::get(&state.store, id).await?;
    Ok(Reply(ListOut::of(steps::of_task(&state.store, id).await?)))
}

/// Lists a task's events, oldest first. An event's `cursor` continues here and in the stream at `/events`.
#[utoipa::path(get, path = "/tasks/{id}/events", tag = "tasks", params(("id" = TaskId, Path), EventQuery),
    responses((status = 200, description = "A page of events", body = PageOut<EventOut>)))]
async fn list_task_events(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
    Query(query): Query<EventQuery>,
) -> Result<Reply<PageOut<EventOut>>> {
    let after = query.after.as_deref().map_or(Ok(Cursor::START), |text| cursor("after", text))?;
    let limit = u32::try_from(page(None, query.limit)?.limit).unwrap_or(u32::MAX);
    tasks::get(&state.store, id).await?;
    let filter = EventFilter { task_id: Some(id), kinds: query.kind };
    let events = events::read(&state.store, after, &filter, limit).await?;
    let full = events.len() >= limit as usize;
    let next = events.last().filter(|_| full).map(|event| event.cursor.to_string());
    Ok(Reply(PageOut { items: events.into_iter().map(Into::into).collect(), next }))
}

/// Lists what a task's steps left, oldest first.
#[utoipa::path(get, path = "/tasks/{id}/artifacts", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, description = "The artifacts", body = ListOut<ArtifactOut>)))]
async fn list_task_artifacts(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
) -> Result<Reply<ListOut<ArtifactOut>>> {
    tasks::get(&state.store, id).await?;
    Ok(Reply(ListOut::of(artifacts::of_task(&state.store, id).await?)))
}

/// Shows what a task came to: result, artifacts and attempts.
#[utoipa::path(get, path = "/tasks/{id}/results", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, description = "The results so far", body = ResultsOut)))]
async fn get_task_results(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<TaskId>,
) -> Result<Reply<ResultsOut>> {
    let task = tasks::get(&state.store, id).await?;
    let artifacts = ListOut::of(artifacts::of_task(&state.store, id).await?).items;
    let executions = ListOut::of(executions::of_task(&state.store, id).await?).items;
    let (status, result, error) = (task.status, task.result, task.error);
    Ok(Reply(ResultsOut { task_id: id, status, result, error, artifacts, executions }))
}

/// The reason for people.
fn sentence(reason: &Reason) -> String {
    match reason {
        Reason::Finished { status } => format!("It is over: {status}."),
        Reason::Cancelling => "Its worker has been told to stop and has not confirmed yet.".to_owned(),
        Reason::Running { worker: Some(worker) } => format!("It is running on worker {worker}."),
        Reason::Running { worker: None } => "It is running.".to_owned(),
        Reason::WaitingForPerson { question: Some(question) } => {
            format!("It waits for a person to answer question {question}.")
        }
        Reason::WaitingForPerson { question: None } => "It waits for a person.".to_owned(),
        Reason::Delayed { until } => format!("It was submitted to run not before {until}."),
        Reason::BackingOff { until, attempt } => {
            format!("Attempt {attempt} did not succeed; the next one is due at {until}.")
        }
        Reason::QueuePaused { queue } => format!("Its queue `{queue}` is paused."),
        Reason::NoWorkers => "No worker is alive.".to_owned(),
        Reason::NoAbleWorker { needs } => format!("No live worker has what it needs: {needs}."),
        Reason::ProjectLimit { limit, running } => {
            format!("Its project may run {limit} orders at once, and {running} are running.")
        }
        Reason::ProjectRate { per_minute, until } => {
            format!("Its project may start {per_minute} orders per minute, the next one at {until}.")
        }
        Reason::WorkersBusy { ahead } => format!("Every able worker is busy; {ahead} orders go first."),
        Reason::AboutToRun { ahead: 0 } => "Nothing stands in its way; a worker is about to take it.".to_owned(),
        Reason::AboutToRun { ahead } => format!("Workers are free; {ahead} orders go first."),
    }
}
