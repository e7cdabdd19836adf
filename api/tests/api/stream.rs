//! The event stream: resuming, filtering, heartbeats, its end.

use std::{pin::Pin, time::Duration};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures::{Stream, StreamExt};
use serde_json::Value;
use shopfloor_domain::role::Role;
use shopfloor_testkit::{Backend, soon};
use tower::ServiceExt;

use crate::desk::{API, Desk, id, on_both, on_sqlite};

/// One event of the stream.
#[derive(Debug, Default, Clone, PartialEq)]
struct Frame {
    id: Option<String>,
    event: Option<String>,
    data: String,
}

impl Frame {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("JSON")
    }
}

/// An open stream.
struct Listening {
    bytes: Pin<Box<dyn Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send>>,
    buffer: String,
}

impl Listening {
    async fn open(desk: &Desk, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = Request::get(format!("{API}/events{query}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", desk.key(Role::Viewer)));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = desk.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { bytes: Box::pin(response.into_body().into_data_stream()), buffer: String::new() }
    }

    /// The next event; comments and the retry hint are passed by. `None` at the stream's end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let mut frame = Frame::default();
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("id", text)) => frame.id = Some(text.to_owned()),
                        Some(("event", text)) => frame.event = Some(text.to_owned()),
                        Some(("data", text)) => frame.data = text.to_owned(),
                        _ => {}
                    }
                }
                if frame != Frame::default() {
                    return Some(frame);
                }
                continue;
            }
            let chunk = soon("the stream", self.bytes.next()).await?.expect("bytes");
            self.buffer.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// The next entry of the log.
    async fn event(&mut self) -> Frame {
        loop {
            let frame = self.next().await.expect("the stream goes on");
            if frame.event.as_deref() != Some("heartbeat") {
                return frame;
            }
        }
    }
}

#[test]
fn a_reader_that_comes_back_misses_nothing() {
    on_both(|desk| async move {
        for at in 0..3 {
            desk.submit(&format!("Task {at}")).await;
        }
        let mut whole = Listening::open(&desk, "?after=0-0&kind=task.submitted", None).await;
        let mut frames = Vec::new();
        for _ in 0..3 {
            frames.push(whole.event().await);
        }
        assert!(frames.iter().all(|frame| frame.event.as_deref() == Some("task.submitted")));
        assert_eq!(frames[0].json()["cursor"].as_str(), frames[0].id.as_deref());
        // The header goes before the parameter, as the browser's own reconnection needs it.
        let first = frames[0].id.as_deref();
        let mut resumed = Listening::open(&desk, "?after=0-0&kind=task.submitted", first).await;
        assert_eq!(resumed.event().await, frames[1]);
        assert_eq!(resumed.event().await, frames[2]);
        let fourth = desk.submit("Live").await;
        assert_eq!(resumed.event().await.json()["task_id"], fourth["id"]);
        assert_eq!(whole.event().await.json()["task_id"], fourth["id"]);
    });
}

/// Waits until readers see this task's submission: on PostgreSQL any transaction of the whole server that is older than it
/// and still runs holds it back for a moment.
async fn settled(desk: &Desk, task: &Value) {
    let query = format!("?after=0-0&kind=task.submitted&task_id={}", id(task));
    Listening::open(desk, &query, None).await.event().await;
}

#[test]
fn without_a_cursor_only_what_is_new_comes_and_filters_hold() {
    on_both(|desk| async move {
        let old = desk.submit("Old").await;
        settled(&desk, &old).await;
        let mut live = Listening::open(&desk, "?kind=task.submitted&kind=task.updated", None).await;
        let mut of_old = Listening::open(&desk, &format!("?task_id={}", id(&old)), None).await;
        let new = desk.submit("New").await;
        assert_eq!(live.event().await.json()["task_id"], new["id"]);
        let path = format!("/tasks/{}", id(&old));
        let body = serde_json::json!({ "title": "Older" });
        desk.call(axum::http::Method::PATCH, &path, Role::Operator, body).await.expect(200);
        let seen = of_old.event().await;
        assert_eq!((seen.event.as_deref(), &seen.json()["task_id"]), (Some("task.updated"), &old["id"]));
    });
}

#[test]
fn a_page_of_a_tasks_events_continues_in_the_stream() {
    on_both(|desk| async move {
        let task = desk.submit("Paged").await;
        settled(&desk, &task).await;
        desk.submit("Other").await;
        let path = format!("/tasks/{}/events", id(&task));
        // On PostgreSQL events appear when every older transaction of the server has ended.
        let all = soon("the task's events", async {
            loop {
                let all = desk.get(&path).await.expect(200);
                if all["items"].as_array().is_some_and(|items| !items.is_empty()) {
                    return all;
                }
            }
        })
        .await;
        let items = all["items"].as_array().expect("items");
        assert!(!items.is_empty() && items.iter().all(|event| event["task_id"] == task["id"]), "{all}");
        let first = desk.get(&format!("{path}?limit=1")).await.expect(200);
        assert_eq!(first["items"][0], items[0]);
        let next = first["next"].as_str().expect("a cursor");
        let rest = desk.get(&format!("{path}?after={next}")).await.expect(200);
        assert_eq!(rest["items"].as_array().expect("items")[..], items[1..]);
        let last = items.last().expect("one")["cursor"].as_str().expect("a cursor");
        let mut stream = Listening::open(&desk, &format!("?task_id={}&after={last}", id(&task)), None).await;
        desk.post(&format!("/tasks/{}/cancel", id(&task)), Value::Null).await.expect(200);
        assert_eq!(stream.event().await.json()["task_id"], task["id"]);
    });
}

/// Two API processes on one record, with Redis between them: what is done through one is seen through the other, and a
/// client that comes back to either misses nothing, with Redis killed in the middle.
#[test]
fn a_client_of_one_replica_sees_what_happens_at_another() {
    shopfloor_testkit::run(async {
        let mut redis = shopfloor_testkit::RedisServer::start();
        let desk = Desk::on(Backend::Postgres).await;
        let (one, two) = (desk.replica().await, desk.replica().await);
        let stop = tokio_util::sync::CancellationToken::new();
        for replica in [&one, &two] {
            let mut ear = replica.app.store.events_bell().ear();
            shopfloor_events::redis::fan_out(&replica.app.store, &redis.url(), "test", stop.clone())
                .expect("a fan-out");
            soon("the line to Redis", ear.heard()).await;
        }
        let query = "?after=0-0&kind=task.submitted";
        let mut live = Listening::open(&one, query, None).await;
        let mut seen = Vec::new();
        for round in 0..6 {
            match round {
                2 => redis.kill(),
                4 => redis.restart(),
                _ => {}
            }
            let task = two.submit("Elsewhere").await;
            let frame = live.event().await;
            assert_eq!(frame.json()["task_id"], task["id"], "round {round}");
            seen.push(frame);
        }
        for at in [0, 3] {
            let mut resumed = Listening::open(&two, query, seen[at].id.as_deref()).await;
            for frame in &seen[at + 1..] {
                assert_eq!(resumed.event().await, *frame);
            }
        }
        stop.cancel();
    });
}

#[test]
fn heartbeats_come_at_their_pace() {
    assert_eq!(shopfloor_api::Settings::default().heartbeat, Duration::from_secs(5));
    shopfloor_testkit::run(async {
        let desk = Desk::with(Backend::Sqlite, |settings| settings.heartbeat = Duration::from_millis(10)).await;
        let mut stream = Listening::open(&desk, "", None).await;
        for _ in 0..30 {
            let beat = stream.next().await.expect("a heartbeat");
            assert_eq!(beat.event.as_deref(), Some("heartbeat"));
            assert_eq!(beat.json(), serde_json::json!({ "type": "heartbeat", "ts": shopfloor_testkit::T0.0 / 1000 }));
        }
    });
}

#[test]
fn the_stream_of_a_revoked_key_ends() {
    shopfloor_testkit::run(async {
        let desk = Desk::with(Backend::Sqlite, |settings| settings.heartbeat = Duration::from_millis(10)).await;
        let mut stream = Listening::open(&desk, "", None).await;
        stream.next().await.expect("a heartbeat");
        let keys = shopfloor_store::keys::list(&desk.store).await.expect("keys");
        let viewer = keys.iter().find(|key| key.role == Role::Viewer).expect("the viewer's");
        shopfloor_store::keys::revoke(&desk.store, viewer.id, desk.now()).await.expect("revoked");
        soon("the stream's end", async { while stream.next().await.is_some() {} }).await;
    });
}

#[test]
fn bad_cursors_and_filters_are_named() {
    on_sqlite(|desk| async move {
        for (query, field) in [
            ("?after=x", "after"),
            ("?after=-1-2", "after"),
            ("?after=1", "after"),
            ("?task_id=x", "task_id"),
            ("?kind=task.exploded", "kind"),
            ("?since=0-0", "since"),
        ] {
            let reply = desk.get(&format!("/events{query}")).await;
            assert_eq!(reply.json()["field"], field, "{query}: {reply:?}");
            assert_eq!(reply.status, 400);
        }
    });
}

#[test]
fn places_for_streams_are_limited() {
    shopfloor_testkit::run(async {
        let desk = Desk::with(Backend::Sqlite, |settings| settings.max_streams = 2).await;
        let first = Listening::open(&desk, "", None).await;
        let _second = Listening::open(&desk, "", None).await;
        desk.get("/events").await.problem(503, "too_many_streams");
        drop(first);
        Listening::open(&desk, "", None).await;
    });
}
