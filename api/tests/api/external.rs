//! External pipelines: a remote worker asks, parks, and goes on with the answer in hand.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use shopfloor_domain::role::Role;

use crate::desk::{Desk, id, on_both, on_sqlite};

/// A task for remote workers that can count, and one of them.
async fn counting(desk: &Desk) -> (Value, String) {
    let body = json!({ "title": "Count", "pipeline": "external", "needs": ["count"], "input": { "n": 3 } });
    let task = desk.post("/tasks", body).await.expect(201);
    let plain = desk.worker().await;
    assert!(desk.claim(&plain).await.is_null(), "only a worker that can do it gets it");
    let body = json!({ "name": "counter", "capabilities": ["count", "external"] });
    (task, id(&desk.work("/workers", body).await.expect(201)))
}

fn question(name: &str) -> Value {
    json!({ "name": name, "prompt": "Which one?", "options": [1, 2], "default": 1, "deadline_seconds": 600 })
}

async fn park(desk: &Desk, claimed: &Value, question: &Value) -> crate::desk::Reply {
    let body = json!({ "order_id": claimed["id"], "epoch": claimed["epoch"], "question": question });
    desk.work("/queue/park", body).await
}

async fn answer(desk: &Desk, question: &Value, answer: Value) {
    let path = format!("/questions/{}/answer", id(question));
    desk.post(&path, json!({ "answer": answer })).await.expect(200);
}

#[test]
fn an_order_is_resumed_with_the_answer_in_hand() {
    on_both(|desk| async move {
        let (task, worker) = counting(&desk).await;
        let claimed = desk.claim(&worker).await;
        assert_eq!((&claimed["task"]["id"], &claimed["answers"]), (&task["id"], &json!([])));
        let parked = park(&desk, &claimed, &question("first")).await.expect(200);
        assert_eq!((&parked["order"]["status"], &parked["order"]["attempt"]), (&json!("parked"), &json!(0)));
        assert_eq!(parked["question"]["options"], json!([1, 2]));
        assert!(desk.claim(&worker).await.is_null());
        park(&desk, &claimed, &question("first")).await.problem(409, "stale_epoch");
        answer(&desk, &parked["question"], json!(2)).await;

        let resumed = desk.claim(&worker).await;
        assert_eq!((&resumed["epoch"], &resumed["attempt"]), (&json!(2), &json!(1)));
        let first = &resumed["answers"][0];
        assert_eq!((&first["name"], &first["answer"]), (&json!("first"), &json!(2)));
        assert_eq!((&first["status"], &first["answered_by"]), (&json!("answered"), &json!("key:operator")));
        let again = park(&desk, &resumed, &question("first")).await.problem(409, "conflict");
        assert!(again["remedy"].is_string(), "{again}");

        let approval = json!({ "name": "second", "kind": "approval", "prompt": "Go on?", "on_deadline": "reject" });
        let parked = park(&desk, &resumed, &approval).await.expect(200);
        answer(&desk, &parked["question"], json!({ "approved": false, "comment": "no" })).await;
        let resumed = desk.claim(&worker).await;
        assert_eq!(resumed["answers"][0], *first);
        assert_eq!(resumed["answers"][1]["answer"], json!({ "approved": false, "comment": "no" }));
        let done = json!({ "order_id": resumed["id"], "epoch": 3, "result": { "n": 2 } });
        assert_eq!(desk.work("/queue/complete", done).await.expect(200)["status"], "completed");
        let steps = desk.get(&format!("/tasks/{}/steps", id(&task))).await.expect(200);
        let row = |step: &Value| (step["name"].clone(), step["kind"].clone(), step["status"].clone());
        let rows: Vec<_> = steps["items"].as_array().expect("steps").iter().map(row).collect();
        let asked = |name: &str| (json!(name), json!("ask"), json!("completed"));
        assert_eq!(rows, [asked("first"), asked("second")]);
    });
}

#[test]
fn a_worker_that_asks_twice_asks_once() {
    on_both(|desk| async move {
        // It died after asking and before parking, and the next one asks again: with its question open …
        let (_, worker) = counting(&desk).await;
        let claimed = desk.claim(&worker).await;
        let asked = desk.ask(&claimed, crate::desk::question()).await;
        let parked = park(&desk, &claimed, &question("first")).await.expect(200);
        assert_eq!((&parked["order"]["status"], &parked["question"]["id"]), (&json!("parked"), &json!(asked.id)));
        answer(&desk, &parked["question"], json!("b")).await;

        // … or answered after the claim that does not know of it: then it goes back at once, and the next claim does.
        counting(&desk).await;
        let resumed = desk.claim(&worker).await;
        assert_eq!(resumed["answers"][0]["answer"], "b");
        let claimed = desk.claim(&worker).await;
        let asked = desk.ask(&claimed, crate::desk::question()).await;
        answer(&desk, &json!({ "id": asked.id }), json!("a")).await;
        let parked = park(&desk, &claimed, &question("first")).await.expect(200);
        assert_eq!((&parked["order"]["status"], &parked["question"]["answer"]), (&json!("queued"), &json!("a")));
        assert_eq!(desk.claim(&worker).await["answers"][0]["answer"], "a");
    });
}

#[test]
fn a_deadline_answers_too() {
    on_both(|desk| async move {
        let (task, worker) = counting(&desk).await;
        for (name, default, status) in [("with", json!(1), "completed"), ("without", Value::Null, "failed")] {
            let claimed = desk.claim(&worker).await;
            let mut question = question(name);
            question["default"] = default.clone();
            park(&desk, &claimed, &question).await.expect(200);
            desk.advance(Duration::from_secs(601));
            shopfloor_store::questions::climb(&desk.store, 10, desk.now()).await.expect("the ladder");
            let resumed = desk.claim(&worker).await;
            let last = resumed["answers"].as_array().and_then(|all| all.last()).expect("an answer").clone();
            let fallback = if default.is_null() { json!({ "rejected": true }) } else { default };
            assert_eq!((&last["status"], &last["answer"]), (&json!("expired"), &fallback));
            let steps = desk.get(&format!("/tasks/{}/steps", id(&task))).await.expect(200);
            let step = steps["items"].as_array().and_then(|all| all.last()).expect("a step").clone();
            assert_eq!(step["status"], status);
            let release = json!({ "order_id": resumed["id"], "epoch": resumed["epoch"] });
            desk.work("/queue/release", release).await.expect(200);
        }
    });
}

#[test]
fn cancelling_reaches_a_worker_that_parks() {
    on_sqlite(|desk| async move {
        let (task, worker) = counting(&desk).await;
        let claimed = desk.claim(&worker).await;
        desk.post(&format!("/tasks/{}/cancel", id(&task)), Value::Null).await.expect(202);
        let held = json!({ "worker_id": worker, "held": [claimed["fence"]] });
        let renewed = desk.work("/queue/renew", held).await.expect(200);
        assert_eq!(renewed["items"][0]["outcome"], "cancel_requested");
        let parked = park(&desk, &claimed, &question("first")).await.expect(200);
        assert_eq!(parked["order"]["status"], "cancelled");
        assert_eq!(desk.get("/questions?status=open").await.expect(200)["items"], json!([]));
    });
}

#[test]
fn questions_are_checked_and_only_external_orders_ask() {
    on_sqlite(|desk| async move {
        let (_, worker) = counting(&desk).await;
        let claimed = desk.claim(&worker).await;
        let with = |field: &str, value: Value| {
            let mut question = question("first");
            question[field] = value;
            question
        };
        for (question, field) in [
            (with("name", json!("No Name")), "question.name"),
            (with("prompt", json!(" ")), "question.prompt"),
            (with("kind", json!("budget")), "question.kind"),
            (with("kind", json!("approval")), "question.kind"),
            (with("options", json!(vec![1; 101])), "question.options"),
            (with("schema", json!({ "type": "nonsense" })), "question.schema"),
            (with("default", json!(3)), "question.default"),
            (with("deadline_seconds", json!(0)), "question.deadline_seconds"),
            (with("on_deadline", json!("explode")), "question.on_deadline"),
            (with("surprise", json!(1)), "question.surprise"),
        ] {
            assert_eq!(park(&desk, &claimed, &question).await.problem(422, "invalid")["field"], field, "{question}");
        }
        assert_eq!(desk.get("/questions").await.expect(200)["items"], json!([]), "nothing is half-asked");

        desk.submit("Code").await;
        let plain = desk.worker().await;
        let code = desk.claim(&plain).await;
        park(&desk, &code, &question("first")).await.problem(409, "conflict");
        let viewer = json!({ "order_id": claimed["id"], "epoch": 1, "question": question("first") });
        assert_eq!(desk.call(Method::POST, "/queue/park", Role::Viewer, viewer).await.status, 403);
    });
}
