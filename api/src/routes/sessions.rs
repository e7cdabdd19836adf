//! Sessions.

use axum::{Json as Reply, extract::State, http::StatusCode};
use shopfloor_domain::{SessionRowId, session::EndReason};
use shopfloor_store::sessions;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{MayOperate, MayRead, MayWork},
    error::Result,
    extract::{Json, Key, Query},
    limits,
    views::{
        page::PageOut,
        sessions::{OpenIn, SessionOut, SessionQuery},
        text,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_sessions, open_session))
        .routes(routes!(get_session, end_session))
        .routes(routes!(beat_session))
}

/// Opens a session for a worker. Claims open their own.
#[utoipa::path(post, path = "/sessions", tag = "sessions", request_body = OpenIn,
    responses((status = 201, description = "Open", body = SessionOut),
        (status = 409, description = "The name is taken")))]
async fn open_session(
    _: MayWork,
    State(state): State<AppState>,
    Json(body): Json<OpenIn>,
) -> Result<(StatusCode, Reply<SessionOut>)> {
    let name = text::optional_line("session_id", body.session_id.as_deref(), limits::NAME_CHARS)?;
    let name = name.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let session = sessions::open(&state.store, &name, body.worker_id, body.task_id, state.now()).await?;
    Ok((StatusCode::CREATED, Reply(session.into())))
}

/// Lists sessions, newest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(SessionQuery),
    responses((status = 200, description = "A page of sessions", body = PageOut<SessionOut>)))]
async fn list_sessions(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<SessionQuery>,
) -> Result<Reply<PageOut<SessionOut>>> {
    let page = query.page()?;
    Ok(Reply(PageOut::of(sessions::list(&state.store, &query.filter(), &page).await?)))
}

/// Shows a session.
#[utoipa::path(get, path = "/sessions/{id}", tag = "sessions", params(("id" = SessionRowId, Path)),
    responses((status = 200, description = "The session", body = SessionOut)))]
async fn get_session(
    _: MayRead,
    State(state): State<AppState>,
    Key(id): Key<SessionRowId>,
) -> Result<Reply<SessionOut>> {
    Ok(Reply(sessions::get(&state.store, id).await?.into()))
}

/// Ends a session. The order it holds goes back to the queue and burns no attempt.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions", params(("id" = SessionRowId, Path)),
    responses((status = 200, description = "The session", body = SessionOut),
        (status = 409, description = "The session is over")))]
async fn end_session(
    _: MayOperate,
    State(state): State<AppState>,
    Key(id): Key<SessionRowId>,
) -> Result<Reply<SessionOut>> {
    let (session, order) = sessions::terminate(&state.store, id, EndReason::Requested, state.now()).await?;
    state.publish(order.as_slice()).await;
    Ok(Reply(session.into()))
}

/// Notes activity in a session.
#[utoipa::path(post, path = "/sessions/{id}/heartbeat", tag = "sessions", params(("id" = SessionRowId, Path)),
    responses((status = 200, description = "The session", body = SessionOut),
        (status = 409, description = "The session is over")))]
async fn beat_session(
    _: MayWork,
    State(state): State<AppState>,
    Key(id): Key<SessionRowId>,
) -> Result<Reply<SessionOut>> {
    Ok(Reply(sessions::touch(&state.store, id, state.now()).await?.into()))
}
