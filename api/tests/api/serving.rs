//! The running server: it stops in time whatever is open, and it serves under its own names only.

use std::time::{Duration, Instant};

use serde_json::json;
use shopfloor_domain::role::Role;
use shopfloor_testkit::{Backend, soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    desk::Desk,
    socket::{Served, serve},
};

/// Sends a raw request and returns the beginning of the answer.
async fn raw(served: &Served, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(served.address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut buffer = vec![0; 4096];
    let length = soon("an answer", stream.read(&mut buffer)).await.expect("bytes");
    (stream, String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn get(served: &Served, path: &str, host: &str) -> String {
    let key = served.desk.key(Role::Admin);
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n")
}

#[test]
fn the_server_stops_although_streams_sockets_and_claims_are_open() {
    shopfloor_testkit::run(async {
        let served = serve(Desk::on(Backend::Sqlite).await).await;
        let host = served.address.to_string();
        let (_stream, answer) = raw(&served, &get(&served, "/api/v1/events", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let mut socket = served.connect(Role::Viewer).await;
        let worker = served.desk.worker().await;
        let body = json!({ "worker_id": worker, "wait_seconds": 30 }).to_string();
        let claim = format!(
            "POST /api/v1/queue/claim HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            served.desk.key(Role::Worker),
            body.len()
        );
        let mut waiting = TcpStream::connect(served.address).await.expect("connected");
        waiting.write_all(claim.as_bytes()).await.expect("sent");
        // One more request makes sure that the server has come to read the claim.
        raw(&served, &get(&served, "/health", &host)).await;

        let began = Instant::now();
        served.stop.cancel();
        soon("the server to stop", served.serving).await.expect("no panic").expect("no error");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(socket.closed().await.map(|frame| u16::from(frame.code)), Some(1001));
        assert!(TcpStream::connect(served.address).await.is_err());
    });
}

#[test]
fn foreign_host_names_are_refused_on_loopback() {
    shopfloor_testkit::run(async {
        let desk =
            Desk::with(Backend::Sqlite, |settings| settings.allowed_hosts = vec!["desk.example".to_owned()]).await;
        let served = serve(desk).await;
        for host in ["127.0.0.1", "localhost:8000", "desk.example"] {
            let (_, answer) = raw(&served, &get(&served, "/api/v1/tasks", host)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        }
        let (_, answer) = raw(&served, &get(&served, "/api/v1/tasks", "evil.example")).await;
        assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("unknown_host"), "{answer}");
    });
}

#[test]
fn a_slow_request_is_given_up() {
    shopfloor_testkit::run(async {
        let desk = Desk::with(Backend::Sqlite, |settings| settings.request_timeout = Duration::from_millis(50)).await;
        let served = serve(desk).await;
        let key = served.desk.key(Role::Admin);
        let request = format!(
            "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
        );
        let (_, answer) = raw(&served, &request).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"timeout\""), "{answer}");
    });
}

#[test]
fn pages_of_named_origins_may_call_and_no_others() {
    shopfloor_testkit::run(async {
        let preflight = |desk: &Desk, origin: &str| {
            let request = axum::http::Request::options("/api/v1/tasks")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .body(axum::body::Body::empty())
                .expect("a request");
            let router = desk.router.clone();
            async move { tower::ServiceExt::oneshot(router, request).await.expect("infallible") }
        };
        let origin = "https://desk.example";
        let closed = Desk::on(Backend::Sqlite).await;
        assert!(preflight(&closed, origin).await.headers().get("access-control-allow-origin").is_none());
        let open = Desk::with(Backend::Sqlite, |settings| settings.cors_origins = vec![origin.to_owned()]).await;
        let allowed = preflight(&open, origin).await;
        assert_eq!(allowed.headers()["access-control-allow-origin"], origin);
        assert!(preflight(&open, "https://evil.example").await.headers().get("access-control-allow-origin").is_none());
    });
}
