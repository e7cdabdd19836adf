//! The chat.

mod frames;
pub(crate) mod socket;

use axum::{Json as Reply, extract::State, http::StatusCode};
use shopfloor_store::messages;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{Caller, MayChat, MayRead},
    error::Result,
    extract::{Json, Query},
    views::{
        chat::{MessageOut, MessageQuery, PostIn},
        page::PageOut,
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_messages, post_message))
}

/// Lists messages, oldest first, of one conversation or of all.
#[utoipa::path(get, path = "/chat/messages", tag = "chat", params(MessageQuery),
    responses((status = 200, description = "A page of messages", body = PageOut<MessageOut>)))]
async fn list_messages(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<MessageQuery>,
) -> Result<Reply<PageOut<MessageOut>>> {
    let page = query.page()?;
    Ok(Reply(PageOut::of(messages::list(&state.store, query.conversation_id, &page).await?)))
}

/// Writes a message. A task's conversation has the task's id.
#[utoipa::path(post, path = "/chat/messages", tag = "chat", request_body = PostIn,
    responses((status = 201, description = "Written", body = MessageOut),
        (status = 404, description = "There is no such conversation or parent")))]
async fn post_message(
    MayChat(caller): MayChat,
    State(state): State<AppState>,
    Json(body): Json<PostIn>,
) -> Result<(StatusCode, Reply<MessageOut>)> {
    Ok((StatusCode::CREATED, Reply(post(&state, &caller, body).await?)))
}

/// Checks and writes a message.
async fn post(state: &AppState, caller: &Caller, body: PostIn) -> Result<MessageOut> {
    let new = body.message(caller)?;
    Ok(messages::post(&state.store, new, state.now()).await?.into())
}
