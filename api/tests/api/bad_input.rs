//! Bad input is a problem with the field named, never an error of ours, and nothing is half-written.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use shopfloor_domain::role::Role;
use shopfloor_store::tasks;

use crate::{
    desk::{API, Desk, Reply, on_both, on_sqlite},
    documents::operations,
};

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

async fn raw(desk: &Desk, method: &Method, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(format!("{API}{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", desk.key(Role::Admin)))
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body));
    desk.send(request.expect("a request")).await
}

/// Every operation with a JSON body, with its path filled in.
fn with_json_body() -> Vec<(Method, String)> {
    let json = |operation: &Value| operation["requestBody"]["content"]["application/json"].is_object();
    let found = operations().into_iter().filter(|(_, _, operation)| json(operation));
    let concrete = |path: String| path.trim_start_matches(API).replace("{id}", NOBODY).replace("{name}", "default");
    found.map(|(method, path, _)| (method, concrete(path))).collect()
}

async fn tasks_of(desk: &Desk) -> u64 {
    tasks::count_by_status(&desk.store).await.expect("counts").iter().map(|(_, count)| count).sum()
}

#[test]
fn bodies_that_are_no_json_are_refused_everywhere() {
    on_sqlite(|desk| async move {
        let deep = format!("{{\"title\": {}{}}}", "[".repeat(1000), "]".repeat(1000)).into_bytes();
        let bodies: Vec<(&str, Vec<u8>)> = vec![
            ("no JSON", b"hello".to_vec()),
            ("cut off", b"{\"title\": \"x".to_vec()),
            ("invalid UTF-8", b"{\"title\": \"\xff\xfe\"}".to_vec()),
            ("NUL", b"{\"title\": \"a\\u0000b\"}".to_vec()),
            ("raw NUL", b"{\"title\": \"a\0b\"}".to_vec()),
            ("NUL in a name", b"{\"ti\\u0000tle\": 1}".to_vec()),
            ("lone surrogate", b"{\"title\": \"\\ud800\"}".to_vec()),
            ("twice", b"{\"title\": \"a\", \"title\": \"b\"}".to_vec()),
            ("deep", deep),
            ("huge number", b"{\"title\": 1e99999}".to_vec()),
            ("two values", b"{} {}".to_vec()),
            ("BOM", b"\xef\xbb\xbf{}".to_vec()),
        ];
        for (method, path) in with_json_body() {
            for (name, body) in &bodies {
                let reply = raw(&desk, &method, &path, "application/json", body.clone()).await;
                let problem = reply.problem(400, "malformed_json");
                assert!(problem["field"].is_string(), "{method} {path} {name}: {problem}");
            }
            for body in [&b"[]"[..], b"7", b"null", b"\"x\"", b"{\"nonsense\": 1}"] {
                let reply = raw(&desk, &method, &path, "application/json", body.to_vec()).await;
                let problem = reply.problem(422, "invalid");
                assert!(problem["field"].is_string(), "{method} {path}: {problem}");
            }
            for content_type in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"] {
                let reply = raw(&desk, &method, &path, content_type, b"{}".to_vec()).await;
                reply.problem(415, "unsupported_media_type");
            }
            let large = vec![b' '; 8 * 1024 * 1024 + 1];
            let reply = raw(&desk, &method, &path, "application/json", large).await;
            assert_eq!(reply.problem(413, "too_large")["field"], "body", "{method} {path}");
        }
        assert_eq!(tasks_of(&desk).await, 0);
    });
}

#[test]
fn each_field_of_a_task_is_checked() {
    on_both(|desk| async move {
        let good = || json!({ "title": "T", "input": { "code": "1" } });
        let bad: Vec<(&str, Value)> = vec![
            ("title", Value::Null),
            ("title", json!(7)),
            ("title", json!("")),
            ("title", json!(" \t")),
            ("title", json!("a\nb")),
            ("title", json!("x".repeat(201))),
            ("description", json!("x".repeat(64 * 1024 + 1))),
            ("description", json!(["x"])),
            ("task_type", json!("chore")),
            ("priority", json!("urgent")),
            ("priority", json!(1)),
            ("project", json!("No Such Name")),
            ("project", json!("../x")),
            ("pipeline", json!("x".repeat(65))),
            ("queue", json!("")),
            ("queue", json!("ünicode")),
            ("needs", json!("python")),
            ("needs", json!((0..17).map(|at| format!("c{at}")).collect::<Vec<_>>())),
            ("needs[0]", json!([7])),
            ("repository_url", json!("x".repeat(2049))),
            ("repository_url", json!("a\u{7}")),
            ("branch_name", json!("x".repeat(256))),
            ("run_at", json!("yesterday")),
            ("run_at", json!(1_767_225_600)),
            ("run_at", json!("9999-01-01T00:00:00Z")),
            ("delay_seconds", json!(-1)),
            ("delay_seconds", json!(1.5)),
            ("delay_seconds", json!(u64::MAX)),
            ("max_attempts", json!(0)),
            ("max_attempts", json!(21)),
            ("max_attempts", json!(-3)),
            ("max_attempts", json!("3")),
            ("input", json!("code")),
            ("input", json!({ "code": "x".repeat(256 * 1024) })),
            ("status", json!("completed")),
            ("id", json!(NOBODY)),
        ];
        for (field, value) in bad {
            let mut body = good();
            let name = field.split('[').next().unwrap_or(field);
            body[name] = value;
            let problem = desk.post("/tasks", body.clone()).await.problem(422, "invalid");
            assert_eq!(problem["field"], field, "{}", body.to_string().chars().take(200).collect::<String>());
        }
        let both =
            json!({ "title": "T", "input": { "code": "1" }, "run_at": "2026-01-02T00:00:00Z", "delay_seconds": 1 });
        assert_eq!(desk.post("/tasks", both).await.problem(422, "invalid")["field"], "delay_seconds");
        let mut nowhere = good();
        nowhere["project"] = json!("nowhere");
        assert!(desk.post("/tasks", nowhere).await.status.is_client_error());
        assert_eq!(tasks_of(&desk).await, 0);
        desk.post("/tasks", good()).await.expect(201);
    });
}

#[test]
fn other_bodies_are_checked_too() {
    on_sqlite(|desk| async move {
        let cases: Vec<(Method, &str, Value, &str)> = vec![
            (Method::POST, "/workers", json!({}), "name"),
            (Method::POST, "/workers", json!({ "name": "x".repeat(256) }), "name"),
            (Method::POST, "/workers", json!({ "name": "w", "slots": 0 }), "slots"),
            (Method::POST, "/workers", json!({ "name": "w", "slots": 99999 }), "slots"),
            (Method::POST, "/workers", json!({ "name": "w", "queues": ["A"] }), "queues[0]"),
            (Method::POST, "/workers", json!({ "name": "w", "version": "" }), "version"),
            (Method::POST, "/sessions", json!({ "worker_id": 7 }), "worker_id"),
            (Method::POST, "/sessions", json!({ "worker_id": NOBODY, "session_id": "" }), "session_id"),
            (Method::POST, "/keys", json!({ "name": "k" }), "role"),
            (Method::POST, "/keys", json!({ "name": "k", "role": "root" }), "role"),
            (Method::POST, "/keys", json!({ "name": "", "role": "viewer" }), "name"),
            (
                Method::POST,
                "/keys",
                json!({ "name": "k", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z" }),
                "expires_at",
            ),
            (Method::PUT, "/projects", json!({ "name": "p", "max_concurrency": 0 }), "max_concurrency"),
            (Method::PUT, "/projects", json!({ "name": "p", "max_starts_per_minute": 0 }), "max_starts_per_minute"),
            (
                Method::PUT,
                "/projects",
                json!({ "name": "p", "max_starts_per_minute": 60_001 }),
                "max_starts_per_minute",
            ),
            (Method::PUT, "/projects", json!({ "name": "P" }), "name"),
            (Method::POST, "/queue/complete", json!({ "order_id": NOBODY }), "epoch"),
            (Method::POST, "/queue/fail", json!({ "order_id": NOBODY, "epoch": 1, "error": "" }), "error"),
            (
                Method::POST,
                "/queue/renew",
                json!({ "worker_id": NOBODY, "held": [{ "order_id": NOBODY }] }),
                "held[0].epoch",
            ),
            (Method::POST, "/chat/messages", json!({ "conversation_id": "x", "message": "m" }), "conversation_id"),
            (Method::POST, "/tasks/bulk", json!({ "tasks": [] }), "tasks"),
            (Method::POST, "/tasks/bulk", json!({ "tasks": [{ "title": 1 }] }), "tasks[0].title"),
        ];
        for (method, path, body, field) in cases {
            let problem = desk.call(method, path, Role::Admin, body.clone()).await.problem(422, "invalid");
            assert_eq!(problem["field"], field, "{path} {body}");
        }
    });
}

#[test]
fn paths_and_queries_are_checked() {
    on_sqlite(|desk| async move {
        for (path, field) in [
            ("/tasks/7", "id"),
            ("/tasks/%ff", "path"),
            ("/tasks/%00", "id"),
            ("/tasks/00000000-0000-7000-8000-00000000000g/why", "id"),
            ("/artifacts/..%2f..%2fetc", "id"),
            ("/workers/x", "id"),
        ] {
            assert_eq!(desk.get(path).await.problem(400, "invalid_path")["field"], field, "{path}");
        }
        for (path, field) in [
            ("/tasks?limit=0", "limit"),
            ("/tasks?limit=501", "limit"),
            ("/tasks?limit=-1", "limit"),
            ("/tasks?limit=ten", "limit"),
            ("/tasks?limit=1&limit=2", "limit"),
            ("/tasks?limit=", "limit"),
            ("/tasks?colour=red", "colour"),
            ("/tasks?status=done", "status"),
            ("/tasks?priority=urgent", "priority"),
            ("/tasks?text=%ff", "text"),
            ("/tasks?text=%00", "text"),
            ("/tasks?text=%4", "text"),
            ("/workers?include_offline=maybe", "include_offline"),
            ("/sessions?worker_id=x", "worker_id"),
            ("/questions?kind=riddle", "kind"),
            ("/chat/messages?conversation_id=x", "conversation_id"),
        ] {
            assert_eq!(desk.get(path).await.problem(400, "invalid_query")["field"], field, "{path}");
        }
        for list in ["/tasks", "/workers", "/sessions", "/questions", "/chat/messages", "/files", "/queue/dead"] {
            let reply = desk.get(&format!("{list}?after=nonsense")).await;
            assert!(reply.status.is_client_error(), "{list}: {reply:?}");
            assert_eq!(reply.json()["field"], "after", "{list}");
        }
        let long = format!("/tasks?text={}", "x".repeat(5000));
        desk.get(&long).await.problem(400, "invalid_query");
    });
}

#[test]
fn unknown_things_addresses_and_methods_are_problems() {
    on_sqlite(|desk| async move {
        for path in ["/nowhere", "/tasks/", "/tasks/x/y/z", "/../etc/passwd", ""] {
            desk.get(path).await.problem(404, "not_found");
        }
        desk.open("/").await.problem(404, "not_found");
        for (method, path) in [(Method::DELETE, "/tasks"), (Method::PUT, "/chat/ws"), (Method::POST, "/events")] {
            let reply = desk.call(method, path, Role::Admin, Value::Null).await;
            reply.problem(405, "method_not_allowed");
            assert!(reply.headers.contains_key(header::ALLOW), "{path}");
        }
        for (method, path, operation) in operations() {
            if !path.contains("{id}") || operation["requestBody"].is_object() {
                continue;
            }
            let path = path.trim_start_matches(API).replace("{id}", NOBODY);
            desk.call(method, &path, Role::Admin, Value::Null).await.problem(404, "not_found");
        }
        let answer = json!({ "answer": 1 });
        desk.post(&format!("/questions/{NOBODY}/answer"), answer).await.problem(404, "not_found");
        let fence = json!({ "order_id": NOBODY, "epoch": 1, "result": 1 });
        assert!(desk.work("/queue/complete", fence).await.status.is_client_error());
    });
}
