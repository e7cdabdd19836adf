//! The chat's WebSocket, over a real loopback connection.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use shopfloor_domain::role::Role;
use shopfloor_store::keys;
use shopfloor_testkit::{Backend, soon};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::CloseFrame},
};
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, id, question};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A served desk.
pub(crate) struct Served {
    pub(crate) desk: Desk,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn serve(desk: Desk) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let serving = tokio::spawn(shopfloor_api::serve(listener, desk.app.clone(), stop.clone()));
    Served { desk, address, stop, serving }
}

impl Served {
    async fn connect_with(&self, header: &str, value: String) -> Result<Stream, tungstenite::Error> {
        let mut request = format!("ws://{}/api/v1/chat/ws", self.address).into_client_request().expect("a request");
        let name: tungstenite::http::HeaderName = header.parse().expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
        connect_async(request).await.map(|(stream, _)| stream)
    }

    pub(crate) async fn connect(&self, role: Role) -> Client {
        let bearer = format!("Bearer {}", self.desk.key(role));
        let mut client = Client(self.connect_with("authorization", bearer).await.expect("connected"));
        assert_eq!(client.next().await["type"], "connected");
        client
    }
}

pub(crate) struct Client(Stream);

impl Client {
    async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("sent");
    }

    /// The next frame.
    async fn next(&mut self) -> Value {
        loop {
            match soon("a frame", self.0.next()).await.expect("the socket is open").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next frame of this type.
    async fn of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// How the server closes.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            match soon("the close", self.0.next()).await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

fn on_both<F: Future<Output = ()>>(case: impl Fn(Served) -> F) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        shopfloor_testkit::run(async { case(serve(Desk::on(backend).await).await).await });
    }
}

fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Served) -> F) {
    shopfloor_testkit::run(async { case(serve(Desk::on(Backend::Sqlite).await).await).await });
}

#[test]
fn a_workers_question_reaches_everybody_and_the_answer_too() {
    on_both(|served| async move {
        let desk = &served.desk;
        let mut one = served.connect(Role::Operator).await;
        let mut two = served.connect(Role::Viewer).await;
        let (asked, _) = desk.asked(question()).await;
        for client in [&mut one, &mut two] {
            let request = client.of("worker_request").await;
            assert_eq!(request["question"]["question_id"], json!(asked.id), "{request}");
            assert_eq!(request["conversation_id"], json!(asked.task_id));
        }
        one.send(json!({ "type": "answer", "question_id": asked.id, "answer": "zebra" })).await;
        assert_eq!(one.of("error").await["field"], "answer");
        one.send(json!({ "type": "answer", "question_id": asked.id, "answer": "b" })).await;
        for client in [&mut one, &mut two] {
            let response = client.of("human_response").await;
            assert_eq!(response["question"]["answer"], "b", "{response}");
        }
        one.send(json!({ "type": "answer", "question_id": asked.id, "answer": "a" })).await;
        // The own answers' receipts may stand between.
        let mut receipts = vec![];
        while receipts.len() < 2 {
            let receipt = one.next().await;
            if receipt["type"] == "answered" {
                receipts.push((receipt["won"].clone(), receipt["answer"].clone()));
            }
            if receipts.last() == Some(&(json!(false), json!("b"))) {
                break;
            }
        }
        assert_eq!(receipts.last(), Some(&(json!(false), json!("b"))));
    });
}

#[test]
fn a_subscriber_gets_its_conversation_only_and_from_where_it_likes() {
    on_both(|served| async move {
        let desk = &served.desk;
        let (mine, other) = (id(&desk.submit("Mine").await), id(&desk.submit("Other").await));
        let mut client = served.connect(Role::Operator).await;
        let say = |conversation: &str, text: &str| json!({ "type": "message", "conversation_id": conversation, "message": text });
        client.send(say(&mine, "before")).await;
        assert_eq!(client.of("message").await["message"]["message"], "before");
        client.send(json!({ "type": "subscribe", "conversation_id": mine, "after": "0-0" })).await;
        assert_eq!(client.of("subscribed").await["conversation_id"], json!(mine));
        assert_eq!(client.of("message").await["message"]["message"], "before");
        client.send(say(&other, "not for me")).await;
        client.send(say(&mine, "for me")).await;
        let message = client.of("message").await;
        assert_eq!((&message["message"]["message"], &message["conversation_id"]), (&json!("for me"), &json!(mine)));
        assert!(message["cursor"].is_string());
        client.send(json!({ "type": "subscribe" })).await;
        client.of("subscribed").await;
        client.send(say(&other, "for all")).await;
        assert_eq!(client.of("message").await["message"]["message"], "for all");
    });
}

#[test]
fn a_viewer_listens_and_says_nothing() {
    on_sqlite(|served| async move {
        let task = id(&served.desk.submit("Look").await);
        let mut viewer = served.connect(Role::Viewer).await;
        viewer.send(json!({ "type": "message", "conversation_id": task, "message": "x" })).await;
        assert_eq!(viewer.of("error").await["code"], "forbidden");
        let nobody = "00000000-0000-7000-8000-000000000000";
        viewer.send(json!({ "type": "answer", "question_id": nobody, "answer": 1 })).await;
        assert_eq!(viewer.of("error").await["code"], "forbidden");
        viewer.send(json!({ "type": "ping" })).await;
        assert!(viewer.of("pong").await["at"].is_string());
    });
}

#[test]
fn nobody_connects_without_a_key_and_browsers_bring_it_as_a_protocol() {
    on_sqlite(|served| async move {
        let refused = served.connect_with("authorization", "Bearer sf_wrong".to_owned()).await;
        let Err(tungstenite::Error::Http(response)) = refused else { panic!("{refused:?}") };
        assert_eq!(response.status(), 401);
        let protocol = format!("bearer, {}", served.desk.key(Role::Viewer));
        let mut client = Client(served.connect_with("sec-websocket-protocol", protocol).await.expect("connected"));
        assert_eq!(client.next().await["role"], "viewer");
        let plain = served.desk.get("/chat/ws").await;
        plain.problem(426, "upgrade_required");
    });
}

#[test]
fn bad_frames_are_answered_and_too_many_end_it() {
    on_sqlite(|served| async move {
        let mut client = served.connect(Role::Admin).await;
        let bad = ["", "{", "[]", "7", "{\"type\":\"dance\"}", "{\"type\":\"ping\",\"x\":1}", "{\"type\":\"message\"}"];
        for text in bad {
            client.0.send(Message::text(text)).await.expect("sent");
            assert_eq!(client.next().await["type"], "error", "{text}");
        }
        client.0.send(Message::binary(vec![0, 159])).await.expect("sent");
        assert_eq!(client.next().await["code"], "bad_frame");
        client.send(json!({ "type": "ping" })).await;
        client.of("pong").await;
        for _ in 0..20 {
            client.0.send(Message::text("{")).await.expect("sent");
        }
        assert_eq!(client.closed().await.map(|frame| u16::from(frame.code)), Some(1008));

        let mut client = served.connect(Role::Admin).await;
        // The server may have closed before the whole frame was taken.
        let _ = client.0.send(Message::text("x".repeat(64 * 1024 + 1))).await;
        let close = client.closed().await;
        assert!(close.is_none_or(|frame| u16::from(frame.code) == 1009));
    });
}

#[test]
fn the_socket_of_a_revoked_key_can_do_nothing_and_ends() {
    shopfloor_testkit::run(async {
        let desk = Desk::with(Backend::Sqlite, |settings| settings.heartbeat = Duration::from_millis(20)).await;
        let served = serve(desk).await;
        let mut client = served.connect(Role::Operator).await;
        let keys = keys::list(&served.desk.store).await.expect("keys");
        let own = keys.iter().find(|key| key.role == Role::Operator).expect("the operator's");
        keys::revoke(&served.desk.store, own.id, served.desk.now()).await.expect("revoked");
        client.send(json!({ "type": "ping" })).await;
        assert_eq!(client.of("error").await["code"], "unauthorized");
        assert_eq!(client.closed().await.map(|frame| u16::from(frame.code)), Some(1008));
    });
}
