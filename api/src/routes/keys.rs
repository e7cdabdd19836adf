//! API keys.

use axum::{Json as Reply, extract::State, http::StatusCode};
use shopfloor_domain::ApiKeyId;
use shopfloor_store::keys;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::MayAdminister,
    error::{ApiError, Result},
    extract::{Json, Key},
    limits,
    views::{
        admin::{KeyIn, KeyOut, NewKeyOut},
        page::ListOut,
        text,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_keys, create_key)).routes(routes!(revoke_key))
}

/// Lists API keys, newest first, without their secrets.
#[utoipa::path(get, path = "/keys", tag = "administration",
    responses((status = 200, description = "The keys", body = ListOut<KeyOut>)))]
async fn list_keys(_: MayAdminister, State(state): State<AppState>) -> Result<Reply<ListOut<KeyOut>>> {
    Ok(Reply(ListOut::of(keys::list(&state.store).await?)))
}

/// Makes an API key. Its secret is in this answer and never again.
#[utoipa::path(post, path = "/keys", tag = "administration", request_body = KeyIn,
    responses((status = 201, description = "The key and its secret", body = NewKeyOut)))]
async fn create_key(
    MayAdminister(caller): MayAdminister,
    State(state): State<AppState>,
    Json(body): Json<KeyIn>,
) -> Result<(StatusCode, Reply<NewKeyOut>)> {
    let (name, now) = (text::line("name", &body.name, limits::NAME_CHARS)?, state.now());
    if body.expires_at.is_some_and(|at| at <= now) {
        return Err(ApiError::invalid("expires_at", "is in the past"));
    }
    let made = keys::create_as(&state.store, &caller.actor(), &name, body.role, body.expires_at, now).await?;
    Ok((StatusCode::CREATED, Reply(NewKeyOut { key: made.key.into(), secret: made.secret })))
}

/// Revokes an API key. A key cannot revoke itself, so that one that administers is always left.
#[utoipa::path(delete, path = "/keys/{id}", tag = "administration", params(("id" = ApiKeyId, Path)),
    responses((status = 200, description = "The key", body = KeyOut),
        (status = 409, description = "It is the key of this very request")))]
async fn revoke_key(
    MayAdminister(caller): MayAdminister,
    State(state): State<AppState>,
    Key(id): Key<ApiKeyId>,
) -> Result<Reply<KeyOut>> {
    if caller.key_id == id {
        return Err(ApiError::conflict("a key cannot revoke itself").remedy("use another admin key"));
    }
    Ok(Reply(keys::revoke_as(&state.store, &caller.actor(), id, state.now()).await?.into()))
}
