//! The audit log.

use axum::{Json as Reply, extract::State};
use shopfloor_store::audit;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::MayAdminister,
    error::Result,
    extract::Query,
    views::{
        admin::AuditOut,
        page::{PageOut, PageQuery},
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

/// Lists who did what, newest first.
#[utoipa::path(get, path = "/audit", tag = "administration", params(PageQuery),
    responses((status = 200, description = "A page of entries", body = PageOut<AuditOut>)))]
async fn list_audit(
    _: MayAdminister,
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<PageOut<AuditOut>>> {
    Ok(Reply(PageOut::of(audit::list(&state.store, &query.page()?).await?)))
}
