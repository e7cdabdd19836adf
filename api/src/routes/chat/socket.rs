//! The chat's WebSocket: the log's chat events out, messages and answers in.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    http::HeaderMap,
    response::Response,
};
use futures::{SinkExt, StreamExt, stream::SplitSink};
use shopfloor_domain::{ConversationId, role::Permission};
use shopfloor_store::events::{self, Cursor, EventFilter};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::frames::{ClientFrame, KINDS, ServerFrame};
use crate::{
    app::AppState,
    auth::{Caller, Credentials, may_chat},
    error::{ApiError, Result},
    extract::from_value,
    limits,
    live::{self, Feed, Item},
    routes::questions,
    strict,
    views::events::cursor,
};

/// Heartbeats after which a client that said nothing, not even a pong, is given up.
const SILENCE: u32 = 12;
/// Conversations that one connection may subscribe to.
const SUBSCRIPTIONS: usize = 256;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(chat_socket))
}

/// The chat as a WebSocket. The key comes in the `Authorization` header or, from browsers, as
/// `Sec-WebSocket-Protocol: bearer, sf_…`. Server frames: `connected`, `subscribed`, `message`, `worker_request`,
/// `human_response`, `answered`, `error`, `pong`. Client frames: `subscribe`, `message`, `answer`, `ping`.
#[utoipa::path(get, path = "/chat/ws", tag = "chat",
    responses((status = 101, description = "The socket is open"), (status = 426, description = "This is no WebSocket")))]
async fn chat_socket(
    State(state): State<AppState>,
    headers: HeaderMap,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    let (credentials, caller) = admit(&state, &headers).await?;
    let upgrade = upgrade.map_err(|rejection| no_socket(&rejection.body_text()))?;
    let permit = live::permit(&state)?;
    let upgrade =
        upgrade.protocols(["bearer"]).max_message_size(limits::FRAME_BYTES).max_frame_size(limits::FRAME_BYTES);
    let sockets = state.sockets.clone();
    Ok(upgrade.on_upgrade(move |socket| sockets.track_future(serve(state, socket, credentials, caller, permit))))
}

/// Who connects, if they may.
async fn admit(state: &AppState, headers: &HeaderMap) -> Result<(Credentials, Caller)> {
    let credentials = match Credentials::from_protocols(headers) {
        Some(credentials) => credentials,
        None => Credentials::from_headers(headers)?,
    };
    let caller = credentials.caller(state).await?;
    caller.must(Permission::Read)?;
    Ok((credentials, caller))
}

fn no_socket(why: &str) -> ApiError {
    ApiError::new(axum::http::StatusCode::UPGRADE_REQUIRED, "upgrade_required", format!("this is a WebSocket: {why}"))
}

/// Why a connection ends: a close code and words.
#[derive(Debug)]
struct Close(u16, &'static str);

/// The sending half, which gives up on clients that do not read.
struct Out {
    sink: SplitSink<WebSocket, Message>,
    patience: Duration,
}

impl Out {
    async fn send(&mut self, frame: &ServerFrame) -> std::result::Result<(), Close> {
        let text =
            serde_json::to_string(frame).map_err(|_| Close(close_code::ERROR, "a frame could not be written"))?;
        self.put(Message::Text(Utf8Bytes::from(text))).await
    }

    async fn put(&mut self, message: Message) -> std::result::Result<(), Close> {
        match tokio::time::timeout(self.patience, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Close(close_code::AWAY, "the connection is gone")),
            Err(_) => Err(Close(close_code::AGAIN, "the client reads too slowly")),
        }
    }

    /// Says goodbye, if the client listens at all.
    async fn close(mut self, Close(code, reason): Close) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let goodbye = async {
            let _ = self.sink.send(Message::Close(Some(frame))).await;
            let _ = self.sink.close().await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}

/// One open connection.
struct Connection {
    state: AppState,
    out: Out,
    feed: Feed,
    /// `None` for every conversation.
    wanted: Option<BTreeSet<ConversationId>>,
    bad_frames: u32,
    heard: Instant,
}

async fn serve(
    state: AppState,
    socket: WebSocket,
    credentials: Credentials,
    caller: Caller,
    _permit: OwnedSemaphorePermit,
) {
    let (sink, mut frames) = socket.split();
    let mut out = Out { sink, patience: state.settings.send_timeout };
    let Ok(end) = events::tail(&state.store).await else {
        return out.close(Close(close_code::AGAIN, "the record is out of reach")).await;
    };
    let hello = ServerFrame::Connected { name: caller.name, role: caller.role, cursor: end.to_string() };
    if let Err(close) = out.send(&hello).await {
        return out.close(close).await;
    }
    let feed = Feed::new(state.clone(), credentials, end, chat());
    let mut connection = Connection { state, out, feed, wanted: None, bad_frames: 0, heard: Instant::now() };
    let close = loop {
        let done = tokio::select! {
            item = connection.feed.next() => connection.show(item).await,
            frame = frames.next() => connection.hear(frame).await,
        };
        if let Err(close) = done {
            break close;
        }
    };
    tracing::debug!(?close, "A chat socket ends");
    connection.out.close(close).await;
}

fn chat() -> EventFilter {
    EventFilter { task_id: None, kinds: KINDS.to_vec() }
}

impl Connection {
    /// Sends what the feed brought.
    async fn show(&mut self, item: Option<Item>) -> std::result::Result<(), Close> {
        match item {
            None if self.state.stop.is_cancelled() => Err(Close(close_code::AWAY, "the server stops")),
            None => Err(Close(close_code::POLICY, "the key no longer allows to read, or the log ended")),
            Some(Item::Trouble) => Ok(()),
            Some(Item::Beat) if self.heard.elapsed() > self.state.settings.heartbeat * SILENCE => {
                Err(Close(close_code::AWAY, "the client is silent"))
            }
            Some(Item::Beat) => self.out.put(Message::Ping(Default::default())).await,
            Some(Item::Event(event)) => match ServerFrame::of(*event) {
                Some(frame) if self.wants(&frame) => self.out.send(&frame).await,
                _ => Ok(()),
            },
        }
    }

    fn wants(&self, frame: &ServerFrame) -> bool {
        match (&self.wanted, frame.conversation()) {
            (None, _) => true,
            (Some(wanted), Some(conversation)) => wanted.contains(&conversation),
            (Some(_), None) => false,
        }
    }

    /// Acts on what the client sent. A bad frame is answered with an error; many in a row end the connection.
    async fn hear(
        &mut self,
        frame: Option<std::result::Result<Message, axum::Error>>,
    ) -> std::result::Result<(), Close> {
        self.heard = Instant::now();
        let done = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(Close(close_code::NORMAL, "")),
            Some(Err(_)) => return Err(Close(close_code::SIZE, "a frame is too large or broken")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(_))) => Err(ApiError::bad_request("bad_frame", "frames are JSON texts")),
            Some(Ok(Message::Text(text))) => self.act(&text).await,
        };
        match done {
            Ok(answer) => {
                self.bad_frames = 0;
                if let Some(answer) = answer { self.out.send(&answer).await } else { Ok(()) }
            }
            Err(error) => {
                self.bad_frames += 1;
                self.out.send(&ServerFrame::from(&error)).await?;
                let many = self.bad_frames >= limits::BAD_FRAMES;
                if many { Err(Close(close_code::POLICY, "too many bad frames")) } else { Ok(()) }
            }
        }
    }

    /// One client frame. The key is looked at anew each time, and so is what it allows.
    async fn act(&mut self, text: &str) -> Result<Option<ServerFrame>> {
        let frame = parse(text)?;
        let caller = self.feed.caller().await?;
        match frame {
            ClientFrame::Ping {} => Ok(Some(ServerFrame::Pong { at: self.state.now() })),
            ClientFrame::Subscribe { conversation_id, after } => {
                let after = after.as_deref().map(|text| cursor("after", text)).transpose()?;
                self.subscribe(conversation_id, after).map(Some)
            }
            ClientFrame::Message(body) => {
                may_chat(&caller)?;
                super::post(&self.state, &caller, body).await.map(|_| None)
            }
            ClientFrame::Answer { question_id, answer } => {
                caller.must(Permission::Answer)?;
                let answered = questions::answer(&self.state, &caller, question_id, answer).await?;
                Ok(Some(ServerFrame::Answered { question_id, won: answered.won, answer: answered.question.answer }))
            }
        }
    }

    fn subscribe(&mut self, conversation_id: Option<ConversationId>, after: Option<Cursor>) -> Result<ServerFrame> {
        match conversation_id {
            None => self.wanted = None,
            Some(conversation) => {
                let wanted = self.wanted.get_or_insert_default();
                if wanted.len() >= SUBSCRIPTIONS && !wanted.contains(&conversation) {
                    return Err(ApiError::invalid("conversation_id", "this connection has too many subscriptions"));
                }
                wanted.insert(conversation);
            }
        }
        if let Some(after) = after {
            self.feed.restart(after, chat());
        }
        Ok(ServerFrame::Subscribed { conversation_id })
    }
}

fn parse(text: &str) -> Result<ClientFrame> {
    let value = strict::parse(text.as_bytes())
        .map_err(|fault| ApiError::bad_request("bad_frame", fault.problem).field(fault.path))?;
    from_value(value)
}
