//! The event log as Server-Sent Events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse,
        sse::{Event as Frame, Sse},
    },
};
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use shopfloor_store::events::{self, Cursor, EventFilter};
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    auth::{Credentials, MayRead},
    error::Result,
    extract::Query,
    live::{self, Feed, Item},
    views::events::{EventOut, StreamQuery, cursor},
};

/// How long a client should wait before it connects again.
const RETRY: Duration = Duration::from_secs(2);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stream_events))
}

/// Streams the event log. Each event's id is its cursor: a client that comes back with `Last-Event-ID` misses nothing. Without
/// a cursor the stream begins now; `after=0-0` begins with the oldest event that is kept. A `heartbeat` comes every 5 s.
#[utoipa::path(get, path = "/events", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<String>, Header, description = "Begin after this cursor")),
    responses((status = 200, description = "The stream; `data` is an event", body = EventOut, content_type = "text/event-stream")))]
async fn stream_events(
    _: MayRead,
    State(state): State<AppState>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    let permit = live::permit(&state)?;
    let after = place(&state, &query, &headers).await?;
    let filter = EventFilter { task_id: query.task_id, kinds: query.kind };
    let feed = Feed::new(state.clone(), Credentials::from_headers(&headers)?, after, filter);
    // Proxies that collect answers before they pass them on would hold events back.
    Ok(([(HeaderName::from_static("x-accel-buffering"), "no")], Sse::new(frames(state, feed, permit))))
}

/// Where to begin: the header, the parameter, or the end of the log.
async fn place(state: &AppState, query: &StreamQuery, headers: &HeaderMap) -> Result<Cursor> {
    if let Some(id) = headers.get(LAST_EVENT_ID) {
        return cursor("Last-Event-ID", id.to_str().unwrap_or("?"));
    }
    match &query.after {
        Some(after) => cursor("after", after),
        None => Ok(events::tail(&state.store).await?),
    }
}

/// The feed as frames; the permit is held as long as the stream lives.
fn frames(
    state: AppState,
    feed: Feed,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = std::result::Result<Frame, Infallible>> {
    let hello = stream::iter([Ok(Frame::default().retry(RETRY).comment("connected"))]);
    let rest = stream::unfold((state, feed, permit), |(state, mut feed, permit)| async move {
        let item = feed.next().await?;
        Some((Ok(frame(&state, item)), (state, feed, permit)))
    });
    hello.chain(rest)
}

fn frame(state: &AppState, item: Item) -> Frame {
    match item {
        Item::Event(event) => {
            let event = EventOut::from(*event);
            let frame = Frame::default().id(&event.cursor).event(event.kind.as_str());
            // An event is plain data and always has a JSON form.
            frame.json_data(&event).unwrap_or_else(|_| Frame::default().comment("an event could not be written"))
        }
        Item::Trouble => Frame::default().comment("the record is out of reach; trying again"),
        Item::Beat => {
            let beat = json!({ "type": "heartbeat", "ts": state.now().0 / 1000 });
            Frame::default().event("heartbeat").data(beat.to_string())
        }
    }
}
