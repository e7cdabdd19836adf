//! Projects.

use axum::{Json as Reply, extract::State};
use shopfloor_store::projects::{self, Limits};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayAdminister, MayRead},
    error::Result,
    extract::Json,
    views::{
        admin::{ProjectIn, ProjectOut},
        page::ListOut,
        text,
    },
};

/// The largest limit.
const MAX_CONCURRENCY: u32 = 100_000;
/// The largest rate: one start per millisecond.
const MAX_STARTS_PER_MINUTE: u32 = 60_000;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_projects, put_project))
}

/// Lists projects by name.
#[utoipa::path(get, path = "/projects", tag = "administration",
    responses((status = 200, description = "The projects", body = ListOut<ProjectOut>)))]
async fn list_projects(_: MayRead, State(state): State<AppState>) -> Result<Reply<ListOut<ProjectOut>>> {
    Ok(Reply(ListOut::of(projects::list(&state.store).await?)))
}

/// Makes a project or changes its limits.
#[utoipa::path(put, path = "/projects", tag = "administration", request_body = ProjectIn,
    responses((status = 200, description = "The project", body = ProjectOut)))]
async fn put_project(
    _: MayAdminister,
    State(state): State<AppState>,
    Json(body): Json<ProjectIn>,
) -> Result<Reply<ProjectOut>> {
    let at_once = |limit| text::within("max_concurrency", limit, 1, MAX_CONCURRENCY);
    let per_minute = |limit| text::within("max_starts_per_minute", limit, 1, MAX_STARTS_PER_MINUTE);
    let limits = Limits {
        max_concurrency: body.max_concurrency.map(at_once).transpose()?,
        max_starts_per_minute: body.max_starts_per_minute.map(per_minute).transpose()?,
    };
    Ok(Reply(projects::put(&state.store, &body.name, limits, state.now()).await?.into()))
}
