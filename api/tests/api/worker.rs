//! The worker protocol over HTTP, the fence included.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use shopfloor_domain::role::Role;
use shopfloor_testkit::soon;

use crate::desk::{id, on_both, on_sqlite};

#[test]
fn a_remote_worker_claims_renews_and_completes() {
    on_both(|desk| async move {
        let task = desk.submit("Remote").await;
        let worker = desk.worker().await;
        let claimed = desk.claim(&worker).await;
        assert_eq!(claimed["task"]["id"], task["id"]);
        assert_eq!(claimed["fence"], json!({ "order_id": claimed["id"], "epoch": 1 }));
        assert_eq!(claimed["task"]["input"], json!({ "code": "print(1)" }));
        let held = json!({ "worker_id": worker, "held": [claimed["fence"]], "lease_seconds": 90 });
        assert_eq!(desk.work("/queue/renew", held).await.expect(200)["items"][0]["outcome"], "held");
        let busy = desk.work(&format!("/workers/{worker}/heartbeat"), Value::Null).await.expect(200);
        assert_eq!((&busy["status"], &busy["held"]), (&json!("busy"), &json!(1)));
        let sessions = desk.get(&format!("/sessions?worker_id={worker}")).await.expect(200);
        assert_eq!(sessions["items"][0]["task_id"], task["id"]);
        let done = json!({ "order_id": claimed["id"], "epoch": 1, "result": { "n": 1 } });
        assert_eq!(desk.work("/queue/complete", done.clone()).await.expect(200)["status"], "completed");
        let problem = desk.work("/queue/complete", done).await.problem(409, "stale_epoch");
        assert!(problem["remedy"].is_string());
        let results = desk.get(&format!("/tasks/{}/results", id(&task))).await.expect(200);
        assert_eq!((&results["status"], &results["result"]), (&json!("completed"), &json!({ "n": 1 })));
        let text = String::from_utf8_lossy(&desk.open("/metrics").await.bytes).into_owned();
        assert!(text.contains("shopfloor_fenced_writes_total"), "{text}");
    });
}

#[test]
fn a_ghost_is_refused_everywhere() {
    on_both(|desk| async move {
        desk.submit("Lost").await;
        let worker = desk.worker().await;
        let claimed = desk.claim(&worker).await;
        let session = claimed["session_id"].as_str().expect("a session");
        let path = format!("/sessions/{session}");
        let ended = desk.call(Method::DELETE, &path, Role::Operator, Value::Null).await.expect(200);
        assert_eq!((&ended["status"], &ended["end_reason"]), (&json!("terminated"), &json!("requested")));
        let held = json!({ "worker_id": worker, "held": [claimed["fence"]] });
        assert_eq!(desk.work("/queue/renew", held).await.expect(200)["items"][0]["outcome"], "lost");
        let fence = |extra: Value| {
            let mut body = json!({ "order_id": claimed["id"], "epoch": 1 });
            body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            body
        };
        for (path, body) in [
            ("/queue/complete", fence(json!({ "result": 1 }))),
            ("/queue/fail", fence(json!({ "error": "broken" }))),
            ("/queue/fail", fence(json!({ "error": "broken", "retry": true }))),
            ("/queue/release", fence(json!({}))),
            ("/queue/release", fence(json!({ "cancelled": true }))),
            ("/queue/park", fence(json!({ "question": { "name": "q", "prompt": "Well?" } }))),
        ] {
            desk.work(path, body).await.problem(409, "stale_epoch");
        }
        let nobody = "00000000-0000-7000-8000-000000000000";
        for path in ["/queue/complete", "/queue/fail", "/queue/release"] {
            let body = json!({ "order_id": nobody, "epoch": 1, "error": "broken", "retry": true });
            let body = if path.ends_with("fail") { body } else { json!({ "order_id": nobody, "epoch": 1 }) };
            desk.work(path, body).await.problem(409, "stale_epoch");
        }
        let again = desk.claim(&worker).await;
        assert_eq!((&again["id"], &again["epoch"], &again["attempt"]), (&claimed["id"], &json!(2), &json!(1)));
    });
}

#[test]
fn failures_are_retried_until_they_are_dead_letters() {
    on_both(|desk| async move {
        let body = json!({ "title": "Hopeless", "input": { "code": "1" }, "max_attempts": 2 });
        desk.post("/tasks", body).await.expect(201);
        let worker = desk.worker().await;
        for (attempt, status) in [(1, "queued"), (2, "dead")] {
            desk.advance(Duration::from_secs(600));
            let claimed = desk.claim(&worker).await;
            assert_eq!(claimed["attempt"], attempt);
            let fail = json!({ "order_id": claimed["id"], "epoch": attempt, "error": "no luck", "retry": true });
            assert_eq!(desk.work("/queue/fail", fail).await.expect(200)["status"], status);
        }
        let dead = desk.get("/queue/dead").await.expect(200);
        let letter = &dead["items"][0];
        assert_eq!(letter["error"], "no luck");
        let path = format!("/queue/dead/{}/requeue", id(letter));
        let bad = desk.post(&path, json!({ "input": { "code": 1 } })).await.problem(422, "invalid");
        assert!(bad["field"].as_str().is_some_and(|field| field.starts_with("input")), "{bad}");
        let order = desk.post(&path, json!({ "input": { "code": "print(2)" } })).await.expect(201);
        assert_eq!((&order["status"], &order["attempt"]), (&json!("queued"), &json!(0)));
        desk.post(&path, Value::Null).await.problem(409, "conflict");
        assert_eq!(desk.get("/queue/dead").await.expect(200)["items"], json!([]));
        desk.advance(Duration::from_secs(600));
        assert_eq!(desk.claim(&worker).await["task"]["input"], json!({ "code": "print(2)" }));
    });
}

#[test]
fn a_waiting_claim_wakes_up() {
    on_both(|desk| async move {
        let worker = desk.worker().await;
        let claim = json!({ "worker_id": worker, "wait_seconds": 30, "lease_seconds": 60 });
        let waiting = soon("the claim to wake", desk.work("/queue/claim", claim));
        let submitting = async {
            // The claim is polled first and looks at an empty queue; whatever comes after must wake it.
            tokio::task::yield_now().await;
            desk.submit("Wake up").await
        };
        let (claims, task) = tokio::join!(waiting, submitting);
        assert_eq!(claims.expect(200)["orders"][0]["task"]["id"], task["id"]);
    });
}

#[test]
fn claims_are_checked() {
    on_sqlite(|desk| async move {
        let worker = desk.worker().await;
        for (body, field) in [
            (json!({ "worker_id": worker, "limit": 0 }), "limit"),
            (json!({ "worker_id": worker, "limit": 101 }), "limit"),
            (json!({ "worker_id": worker, "limit": -1 }), "limit"),
            (json!({ "worker_id": worker, "lease_seconds": 0 }), "lease_seconds"),
            (json!({ "worker_id": worker, "wait_seconds": 31 }), "wait_seconds"),
            (json!({ "worker_id": worker, "capabilities": ["No Name"] }), "capabilities[0]"),
            (json!({ "worker_id": "me" }), "worker_id"),
            (json!({}), "worker_id"),
        ] {
            assert_eq!(desk.work("/queue/claim", body.clone()).await.problem(422, "invalid")["field"], field, "{body}");
        }
        let stranger = json!({ "worker_id": "00000000-0000-7000-8000-000000000000" });
        desk.work("/queue/claim", stranger).await.problem(404, "not_found");
        let path = format!("/workers/{worker}");
        let removed = desk.call(Method::DELETE, &path, Role::Operator, Value::Null).await.expect(200);
        assert!(removed["removed_at"].is_string());
        desk.work("/queue/claim", json!({ "worker_id": worker })).await.problem(409, "conflict");
    });
}

#[test]
fn queues_are_paused_and_resumed() {
    on_both(|desk| async move {
        let task = desk.submit("Wait").await;
        let worker = desk.worker().await;
        let paused = desk.post("/queue/default/pause", Value::Null).await.expect(200);
        assert_eq!(paused["paused_by"], "key:operator");
        assert!(desk.claim(&worker).await.is_null());
        let why = desk.get(&format!("/tasks/{}/why", id(&task))).await.expect(200);
        assert_eq!((&why["code"], &why["queue"]), (&json!("queue_paused"), &json!("default")));
        let status = desk.get("/queue/status").await.expect(200);
        assert_eq!((&status["ready"]["normal"], &status["mode"]), (&json!(1), &json!("sql")));
        let resumed = desk.post("/queue/default/resume", Value::Null).await.expect(200);
        assert_eq!(resumed["paused_at"], Value::Null);
        assert_eq!(desk.claim(&worker).await["task"]["id"], task["id"]);
        desk.post("/queue/defualt/pause", Value::Null).await.problem(404, "not_found");
    });
}

#[test]
fn enqueue_submits_or_runs_again() {
    on_sqlite(|desk| async move {
        let task = desk.post("/queue/enqueue", json!({ "title": "T", "input": { "code": "1" } })).await.expect(201);
        desk.post(&format!("/tasks/{}/cancel", id(&task)), Value::Null).await.expect(200);
        let again = desk.post("/queue/enqueue", json!({ "task_id": task["id"] })).await.expect(201);
        assert_eq!((&again["id"], &again["status"]), (&task["id"], &json!("queued")));
        let both = json!({ "task_id": task["id"], "title": "T" });
        assert_eq!(desk.post("/queue/enqueue", both).await.problem(422, "invalid")["field"], "title");
    });
}
