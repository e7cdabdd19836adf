//! Submitting, listing, changing, cancelling and retrying tasks.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use shopfloor_domain::role::Role;
use shopfloor_store::tasks;

use crate::desk::{API, Desk, Reply, id, on_both, on_sqlite, task_id, upload};

async fn submit_with_key(desk: &Desk, path: &str, key: &str, body: Value) -> Reply {
    let request = Request::post(format!("{API}{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", desk.key(Role::Operator)))
        .header(header::CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", key)
        .body(Body::from(body.to_string()));
    desk.send(request.expect("a request")).await
}

#[test]
fn a_task_comes_back_as_submitted() {
    on_both(|desk| async move {
        let body = json!({
            "title": "  Plot it ", "description": "With *axes*.", "task_type": "feature", "priority": "high",
            "project": "default", "pipeline": "run-code", "input": { "code": "print('é')", "args": ["a b"] },
            "queue": "batch", "needs": ["gpu"], "repository_url": "https://example.org/r.git", "branch_name": "topic",
            "run_at": "2026-01-01T02:00:00Z", "max_attempts": 7,
        });
        let task = desk.post("/tasks", body).await.expect(201);
        for (field, value) in [
            ("title", json!("Plot it")),
            ("status", json!("queued")),
            ("priority", json!("high")),
            ("task_type", json!("feature")),
            ("created_by", json!("key:operator")),
            ("input", json!({ "code": "print('é')", "args": ["a b"] })),
            ("branch_name", json!("topic")),
        ] {
            assert_eq!(task[field], value, "{field}");
        }
        let order = &task["order"];
        assert_eq!(
            (&order["queue"], &order["max_attempts"], &order["status"]),
            (&json!("batch"), &json!(7), &json!("queued"))
        );
        assert_eq!(order["run_at"], "2026-01-01T02:00:00.000Z");
        assert_eq!(desk.get(&format!("/tasks/{}", id(&task))).await.expect(200), task);
        let stored = tasks::newest_order(&desk.store, task_id(&task)).await.expect("an order");
        assert_eq!(stored.needs.to_key(), "gpu,python");
        let why = desk.get(&format!("/tasks/{}/why", id(&task))).await.expect(200);
        assert_eq!(why["code"], "delayed");
        assert!(why["sentence"].as_str().is_some_and(|text| text.contains("2026-01-01T02:00:00")), "{why}");
    });
}

#[test]
fn the_same_key_gives_the_same_task() {
    on_both(|desk| async move {
        let body = json!({ "title": "Once", "input": { "code": "1" }, "delay_seconds": 60 });
        let first = submit_with_key(&desk, "/tasks", "k1", body.clone()).await.expect(201);
        desk.advance(Duration::from_secs(5));
        let again = submit_with_key(&desk, "/tasks", "k1", body).await.expect(200);
        assert_eq!(id(&first), id(&again));
        let other = submit_with_key(&desk, "/tasks", "k1", json!({ "title": "Other", "input": { "code": "1" } })).await;
        assert_eq!(other.problem(422, "idempotency_mismatch")["field"], "Idempotency-Key");
        let bulk = json!({ "tasks": [
            { "title": "A", "input": { "code": "1" } }, { "title": "B", "input": { "code": "1" } },
        ] });
        let first = submit_with_key(&desk, "/tasks/bulk", "k2", bulk.clone()).await.expect(201);
        let again = submit_with_key(&desk, "/tasks/bulk", "k2", bulk).await.expect(200);
        assert_eq!(first["items"], again["items"]);
        assert_eq!(desk.get("/tasks").await.expect(200)["items"].as_array().map(Vec::len), Some(3));
        for key in ["", "é", &"x".repeat(256)] {
            let reply = submit_with_key(&desk, "/tasks", key, json!({ "title": "T", "input": { "code": "1" } })).await;
            assert_eq!(reply.problem(400, "invalid_header")["field"], "Idempotency-Key");
        }
    });
}

#[test]
fn bulk_is_all_or_nothing_and_in_order() {
    on_both(|desk| async move {
        let task = |at: usize| json!({ "title": format!("T{at}"), "input": { "code": "1" } });
        let body = json!({ "tasks": (0..1000).map(task).collect::<Vec<_>>() });
        let made = desk.post("/tasks/bulk", body).await.expect(201);
        let titles: Vec<_> =
            made["items"].as_array().expect("tasks").iter().map(|task| task["title"].clone()).collect();
        assert_eq!(titles.len(), 1000);
        assert!(titles.iter().enumerate().all(|(at, title)| *title == format!("T{at}")));
        let bad = json!({ "tasks": [task(0), { "title": "", "input": { "code": "1" } }] });
        assert_eq!(desk.post("/tasks/bulk", bad).await.problem(422, "invalid")["field"], "tasks[1].title");
        let many = json!({ "tasks": (0..1001).map(task).collect::<Vec<_>>() });
        assert_eq!(desk.post("/tasks/bulk", many).await.problem(422, "invalid")["field"], "tasks");
        let count = tasks::count_by_status(&desk.store).await.expect("counts").iter().map(|(_, n)| n).sum::<u64>();
        assert_eq!(count, 1000);
    });
}

#[test]
fn lists_are_filtered_and_paged() {
    on_both(|desk| async move {
        for at in 0..5 {
            let priority = if at % 2 == 0 { "high" } else { "low" };
            let body = json!({ "title": format!("Task {at}"), "priority": priority, "task_type": "docs", "input": { "code": "1" } });
            desk.post("/tasks", body).await.expect(201);
            desk.advance(Duration::from_millis(1));
        }
        let titles = |page: &Value| -> Vec<String> {
            let items = page["items"].as_array().expect("items");
            items.iter().map(|task| task["title"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let first = desk.get("/tasks?limit=2").await.expect(200);
        assert_eq!(titles(&first), ["Task 4", "Task 3"]);
        let next = first["next"].as_str().expect("a cursor");
        let second = desk.get(&format!("/tasks?limit=3&after={next}")).await.expect(200);
        assert_eq!(
            (titles(&second), &second["next"]),
            (vec!["Task 2".to_owned(), "Task 1".to_owned(), "Task 0".to_owned()], &Value::Null)
        );
        for (query, count) in [
            ("priority=high", 3),
            ("priority=low&type=docs", 2),
            ("task_type=feature", 0),
            ("status=queued,failed", 5),
            ("status=queued&status=failed", 5),
            ("status=completed", 0),
            ("project=default", 5),
            ("text=task+3", 1),
            ("text=100%25", 0),
        ] {
            let page = desk.get(&format!("/tasks?{query}")).await.expect(200);
            assert_eq!(titles(&page).len(), count, "{query}");
        }
    });
}

#[test]
fn a_task_is_edited_field_by_field() {
    on_both(|desk| async move {
        let body = json!({ "title": "Old", "branch_name": "topic", "input": { "code": "1" } });
        let task = desk.post("/tasks", body).await.expect(201);
        let path = format!("/tasks/{}", id(&task));
        let patch = |body| desk.call(Method::PATCH, &path, Role::Operator, body);
        let changed = patch(json!({ "title": "New", "branch_name": null, "priority": "high" })).await.expect(200);
        assert_eq!(changed["title"], "New");
        assert_eq!(changed["branch_name"], Value::Null);
        assert_eq!(changed["priority"], "high");
        assert_eq!(changed["description"], task["description"]);
        for (body, field) in [
            (json!({}), "body"),
            (json!({ "title": null }), "title"),
            (json!({ "title": " " }), "title"),
            (json!({ "status": "completed" }), "status"),
            (json!({ "priority": "urgent" }), "priority"),
        ] {
            assert_eq!(patch(body.clone()).await.problem(422, "invalid")["field"], field, "{body}");
        }
    });
}

#[test]
fn waiting_tasks_are_cancelled_at_once_and_running_ones_on_confirmation() {
    on_both(|desk| async move {
        let cancel = |id: String| async move { id };
        let waiting = desk.submit("Waiting").await;
        let path = format!("/tasks/{}/cancel", cancel(id(&waiting)).await);
        let cancelled = desk.post(&path, Value::Null).await.expect(200);
        assert_eq!((&cancelled["status"], &cancelled["order"]["status"]), (&json!("cancelled"), &json!("cancelled")));
        desk.post(&path, Value::Null).await.problem(409, "conflict");

        let running = desk.submit("Running").await;
        let worker = desk.worker().await;
        let claimed = desk.claim(&worker).await;
        let path = format!("/tasks/{}/cancel", id(&running));
        for _ in 0..2 {
            let asked = desk.post(&path, Value::Null).await.expect(202);
            assert_eq!(asked["status"], "in_progress");
            assert!(asked["order"]["cancel_requested_at"].is_string());
        }
        let held = json!({ "worker_id": worker, "held": [{ "order_id": claimed["id"], "epoch": 1 }] });
        let renewed = desk.work("/queue/renew", held).await.expect(200);
        assert_eq!(renewed["items"][0]["outcome"], "cancel_requested");
        let confirm = json!({ "order_id": claimed["id"], "epoch": 1, "cancelled": true });
        assert_eq!(desk.work("/queue/release", confirm).await.expect(200)["status"], "cancelled");
        let task = desk.get(&format!("/tasks/{}", id(&running))).await.expect(200);
        assert_eq!(task["status"], "cancelled");
        let again = desk.post(&format!("/tasks/{}/retry", id(&running)), Value::Null).await.expect(201);
        assert_eq!((&again["status"], &again["order"]["attempt"]), (&json!("queued"), &json!(0)));
        desk.post(&format!("/tasks/{}/retry", id(&running)), Value::Null).await.problem(409, "conflict");
    });
}

#[test]
fn inputs_fit_their_pipeline_and_name_files_that_exist() {
    on_sqlite(|desk| async move {
        let file = upload(&desk, "data.csv", b"a,b\n1,2\n").await.expect(201);
        let good =
            json!({ "title": "T", "input": { "code": "1", "files": [{ "file_id": file["id"], "name": "d.csv" }] } });
        desk.post("/tasks", good).await.expect(201);
        let missing = "00000000-0000-7000-8000-000000000000";
        for (body, field) in [
            (json!({ "title": "T" }), "input"),
            (json!({ "title": "T", "input": null }), "input"),
            (json!({ "title": "T", "input": [] }), "input"),
            (json!({ "title": "T", "input": { "code": 7 } }), "input"),
            (json!({ "title": "T", "input": { "code": "1", "extra": 1 } }), "input"),
            (json!({ "title": "T", "input": { "code": "1", "args": ["a", 7] } }), "input.args[1]"),
            (json!({ "title": "T", "input": { "file_id": missing } }), "input.file_id"),
            (
                json!({ "title": "T", "input": { "code": "1", "files": [{ "file_id": missing, "name": "x" }] } }),
                "input.files[0].file_id",
            ),
            (json!({ "title": "T", "input": { "code": "1" }, "pipeline": "nope" }), "pipeline"),
        ] {
            let problem = desk.post("/tasks", body.clone()).await.problem(422, "invalid");
            let found = problem["field"].as_str().expect("a field");
            assert!(found == field || found.starts_with(&format!("{field}.")), "{body}: {problem}");
        }
        let problem = desk.post("/tasks", json!({ "title": "T", "pipeline": "nope" })).await.json();
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("run-code")), "{problem}");
    });
}
