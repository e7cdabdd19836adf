//! Pipelines that tasks may name.

use axum::{Json as Reply, extract::State};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::MayRead,
    views::{admin::PipelineOut, page::ListOut},
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_pipelines)).routes(routes!(get_pipeline_schema))
}

/// Lists pipelines.
#[utoipa::path(get, path = "/pipelines", tag = "pipelines",
    responses((status = 200, description = "The pipelines", body = ListOut<PipelineOut>)))]
async fn list_pipelines(_: MayRead, State(state): State<AppState>) -> Reply<ListOut<PipelineOut>> {
    Reply(ListOut::of(state.pipelines.entries().collect()))
}

/// The JSON Schema of a pipeline file.
#[utoipa::path(get, path = "/pipelines/schema", tag = "pipelines",
    responses((status = 200, description = "The schema", body = Value)))]
async fn get_pipeline_schema(_: MayRead) -> Reply<Value> {
    Reply(shopfloor_pipelines::schema())
}
