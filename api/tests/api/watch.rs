//! The metrics and the health of a process without an API.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use shopfloor_api::{Watched, metrics_router, serve_metrics};
use shopfloor_queue::SqlQueue;
use shopfloor_telemetry::Metrics;
use shopfloor_testkit::{Backend, soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

async fn watched(backend: Backend) -> (shopfloor_testkit::TestStore, Watched) {
    let store = shopfloor_testkit::store(backend).await;
    let queue = Arc::new(SqlQueue::new((*store).clone()));
    let watched = Watched { metrics: Metrics::new(), store: (*store).clone(), queue, stop: CancellationToken::new() };
    (store, watched)
}

async fn get(router: &Router, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("the router cannot fail");
    let (status, headers) = (response.status(), response.headers().clone());
    let kind = headers[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    let body = to_bytes(response.into_body(), 1024 * 1024).await.expect("a body");
    (status, kind, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn a_worker_shows_its_metrics_and_that_it_is_ready() {
    shopfloor_testkit::run(async {
        let (_store, watched) = watched(Backend::Sqlite).await;
        let router = metrics_router(watched.clone());
        watched.metrics.worker_slots.with_label_values(&["busy"]).set(2);
        let (status, kind, text) = get(&router, "/metrics").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8"));
        assert!(text.contains("shopfloor_worker_slots{state=\"busy\"} 2"), "{text}");
        let (status, _, text) = get(&router, "/healthz").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let (status, _, text) = get(&router, "/readyz").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.contains("\"record\"") && text.contains("\"dispatch\""), "{text}");
    });
}

#[test]
fn a_worker_is_not_ready_once_it_stops_or_without_the_record_yet_alive() {
    shopfloor_testkit::run(async {
        let (_store, watched) = watched(Backend::Sqlite).await;
        let router = metrics_router(watched.clone());
        watched.stop.cancel();
        let (status, kind, text) = get(&router, "/readyz").await;
        assert_eq!((status, kind.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "application/problem+json"));
        assert!(text.contains("not_ready") && text.contains("stopping"), "{text}");

        let watched = Watched { stop: CancellationToken::new(), ..watched };
        watched.store.clone().close().await.expect("closed");
        let router = metrics_router(watched);
        let (status, _, text) = get(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        assert!(text.contains("record"), "{text}");
        for path in ["/healthz", "/metrics"] {
            assert_eq!(get(&router, path).await.0, StatusCode::OK, "{path}");
        }
    });
}

#[test]
fn a_disk_that_takes_nothing_is_said() {
    shopfloor_testkit::run(async {
        let (store, watched) = watched(Backend::Sqlite).await;
        let router = metrics_router(watched);
        let files = &store.settings().blob_dir;
        let away = files.with_extension("away");
        std::fs::rename(files, &away).expect("the folder of files is moved away");
        let (status, _, text) = get(&router, "/readyz").await;
        let ready: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((status, &ready["checks"][2]["name"]), (StatusCode::OK, &"files".into()), "{text}");
        assert_eq!(ready["checks"][2]["status"], "degraded", "{text}");
        assert!(text.contains("cannot be written"), "{text}");
        std::fs::rename(&away, files).expect("and back");
        let (_, _, text) = get(&router, "/readyz").await;
        assert!(!text.contains("degraded"), "{text}");

        // The open database goes on answering; nobody could write to it.
        let folder = store.scratch();
        let away = folder.with_extension("away");
        std::fs::rename(folder, &away).expect("the record's folder is moved away");
        let (status, _, text) = get(&router, "/readyz").await;
        std::fs::rename(&away, folder).expect("and back");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        assert!(text.contains("not_ready") && text.contains("record: the folder"), "{text}");
    });
}

#[test]
fn nothing_of_the_api_is_served_beside_the_metrics() {
    shopfloor_testkit::run(async {
        let (_store, watched) = watched(Backend::Sqlite).await;
        let router = metrics_router(watched);
        for path in ["/api/v1/tasks", "/docs", "/openapi.json", "/"] {
            assert_eq!(get(&router, path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    });
}

#[test]
fn metrics_are_served_through_a_drain_and_not_after_it() {
    shopfloor_testkit::run(async {
        let (_store, watched) = watched(Backend::Sqlite).await;
        let (draining, stop) = (watched.stop.clone(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(serve_metrics(listener, watched, stop.clone()));
        draining.cancel();
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        soon("the metrics", stream.read_to_string(&mut answer)).await.expect("text");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("shopfloor_claim_seconds"), "{answer}");

        let _idle = TcpStream::connect(address).await.expect("connected");
        stop.cancel();
        soon("the end", serving).await.expect("no panic").expect("no error");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    });
}
