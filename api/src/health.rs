//! Is it alive, is it ready?

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use shopfloor_queue::Queue;
use shopfloor_store::Store;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    error::{ApiError, Result},
};

/// How long the record may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// It is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthOut {
    /// Always `ok`.
    #[schema(value_type = String)]
    status: &'static str,
    /// The program's version.
    #[schema(value_type = String)]
    version: &'static str,
}

/// It is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyOut {
    /// Always `ready`.
    #[schema(value_type = String)]
    status: &'static str,
    /// What was looked at.
    checks: Vec<CheckOut>,
}

impl ReadyOut {
    /// Ready, by these checks, the queue's and those that are added. A degraded queue is slower and still serves.
    pub(crate) fn new(Storage { record, files }: Storage, queue: &dyn Queue) -> Self {
        let (status, detail) = match queue.degraded() {
            None => (queue.mode().to_owned(), None),
            Some(why) => ("degraded".to_owned(), Some(why.to_owned())),
        };
        let dispatch = CheckOut { name: "dispatch", status, detail };
        Self { status: "ready", checks: vec![record, dispatch, files] }
    }
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckOut {
    /// What it is.
    #[schema(value_type = String)]
    name: &'static str,
    /// How it is.
    status: String,
    /// A sentence about it.
    detail: Option<String>,
}

/// Where everything is kept.
pub(crate) struct Storage {
    record: CheckOut,
    files: CheckOut,
}

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(healthz)).routes(routes!(readyz))
}

/// Says that the process is alive, and its version.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "Alive", body = HealthOut)))]
async fn health() -> Json<HealthOut> {
    Json(HealthOut { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// The same under the name that orchestration systems look for.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive", body = HealthOut)))]
pub(crate) async fn healthz() -> Json<HealthOut> {
    health().await
}

/// Says whether requests can be served; names what is down otherwise.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "Ready", body = ReadyOut),
        (status = 503, description = "Not ready", body = crate::problem::Problem, content_type = "application/problem+json"),
    )
)]
async fn readyz(State(state): State<AppState>) -> Result<Json<ReadyOut>> {
    let mut ready = ReadyOut::new(record(&state.store, &state.stop).await?, &*state.queue);
    if let Some((level, detail)) = state.sandbox.clone() {
        ready.checks.push(CheckOut { name: "sandbox", status: level, detail: Some(detail) });
    }
    Ok(Json(ready))
}

/// Whether the record answers and can be written, and nobody has told the process to stop. Files that cannot be written
/// are no reason to send everybody away: what needs none goes on.
pub(crate) async fn record(store: &Store, stop: &CancellationToken) -> Result<Storage> {
    let (answer, unwritable) = tokio::join!(tokio::time::timeout(PATIENCE, store.ping()), store.unwritable());
    let record = match (answer, unwritable.record) {
        _ if stop.is_cancelled() => Err("the server is stopping".to_owned()),
        // A disk that takes nothing is why the record does not answer, should it not.
        (_, Some(problem)) => Err(format!("record: {problem}")),
        (Ok(Ok(())), None) => Ok(()),
        (Ok(Err(error)), _) => Err(format!("record: {error}")),
        (Err(_), _) => Err(format!("record: no answer within {} s", PATIENCE.as_secs())),
    };
    record.map_err(|what| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", what))?;
    let files = if unwritable.files.is_none() { "ok" } else { "degraded" };
    Ok(Storage {
        record: CheckOut { name: "record", status: "ok".to_owned(), detail: None },
        files: CheckOut { name: "files", status: files.to_owned(), detail: unwritable.files },
    })
}
