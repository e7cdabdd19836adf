//! The metrics of a fleet, scraped from its processes: each one moves when what it counts happens.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Fleet, Member, example, text};

const QUICK: [&str; 6] = ["--lease", "3s", "--renew-every", "500ms", "--offline-after", "3s"];

async fn submit(fleet: &Fleet, api: &Member, body: serde_json::Value) -> String {
    text(&fleet.post(api, "/tasks", body).await["id"])
}

/// Registers a remote worker that can do this.
async fn remote(fleet: &Fleet, api: &Member, capability: &str) -> String {
    let worker = json!({"name": "remote", "capabilities": [capability], "slots": 4});
    text(&fleet.post(api, "/workers", worker).await["id"])
}

#[tokio::test]
async fn every_metric_of_queue_lease_worker_and_session_moves() {
    let mut fleet = Fleet::new().await;
    let api = fleet.api("api", &QUICK).await;
    let orchestrator =
        fleet.role("orchestrator", "orchestrator", &[&QUICK[..], &["--session-idle", "5s"]].concat()).await;
    fleet.reaches(&orchestrator, "shopfloor_leader ", 1.0).await;
    fleet.reaches(&api, "shopfloor_dispatch_mode{mode=\"redis\"}", 1.0).await;

    // Nobody is there to take it.
    submit(&fleet, &api, json!({"title": "hello", "priority": "high", "input": {"code": "print(1)"}})).await;
    fleet.reaches(&api, "shopfloor_orders_enqueued_total{priority=\"high\"}", 1.0).await;
    fleet.reaches(&api, "shopfloor_http_request_seconds_count{method=\"POST\",route=\"/api/v1/tasks\"", 1.0).await;
    fleet.reaches(&api, "shopfloor_queue_depth{priority=\"high\",state=\"ready\"}", 1.0).await;
    fleet.reaches(&api, "shopfloor_queue_oldest_age_seconds", 1.0).await;
    fleet.reaches(&orchestrator, "shopfloor_blocked_seconds_total{cause=\"no_workers\"}", 1.0).await;
    fleet.reaches(&orchestrator, "shopfloor_loop_passes_total{loop=\"blocked\",outcome=\"ok\"}", 1.0).await;
    fleet.reaches(&orchestrator, "shopfloor_loop_pass_seconds_count{loop=\"blocked\"}", 1.0).await;

    // A worker takes it.
    let worker = fleet.role("worker", "worker", &QUICK).await;
    for metric in [
        "shopfloor_orders_finished_total{outcome=\"completed\"}",
        "shopfloor_order_wait_seconds_count{priority=\"high\"}",
        "shopfloor_order_wait_seconds_sum{priority=\"high\"}",
        "shopfloor_order_run_seconds_count",
        "shopfloor_claim_seconds_count",
        "shopfloor_claim_batch_size_sum",
        "shopfloor_sandbox_runs_total{outcome=\"ok\"}",
        "shopfloor_worker_slots{state=\"free\"}",
    ] {
        fleet.reaches(&worker, metric, if metric.ends_with("_sum{priority=\"high\"}") { 0.5 } else { 1.0 }).await;
    }
    fleet.reaches(&api, "shopfloor_workers{status=\"idle\"}", 1.0).await;

    // It is woken for one that does not end, and then it is busy.
    let endless = std::fs::read_to_string(example("endless.py")).unwrap();
    submit(&fleet, &api, json!({"title": "endless", "input": {"code": endless}})).await;
    fleet.reaches(&worker, "shopfloor_wakeups_total{kind=\"work\"}", 1.0).await;
    fleet.reaches(&worker, "shopfloor_worker_slots{state=\"busy\"}", 1.0).await;
    fleet.reaches(&api, "shopfloor_workers{status=\"busy\"}", 1.0).await;
    fleet.reaches(&api, "shopfloor_queue_depth{priority=\"normal\",state=\"claimed\"}", 1.0).await;
    submit(&fleet, &api, json!({"title": "next", "input": {"code": "print(2)"}})).await;
    fleet.reaches(&orchestrator, "shopfloor_blocked_seconds_total{cause=\"workers_busy\"}", 1.0).await;

    // It dies: its lease runs out, and it is missed.
    worker.kill().await;
    fleet.reaches(&orchestrator, "shopfloor_lease_expired_total", 1.0).await;
    fleet.reaches(&api, "shopfloor_workers{status=\"offline\"}", 1.0).await;

    a_person_is_asked(&fleet, &api).await;
    a_session_falls_asleep(&fleet, &api, &orchestrator).await;

    // Redis forgets everything, and then it is away.
    fleet.redis.flush_all();
    fleet.reaches(&orchestrator, "shopfloor_queue_fills_total", 1.0).await;
    fleet.reaches(&orchestrator, "shopfloor_reconcile_drift{kind=\"missing\"}", 0.0).await;
    fleet.redis.kill();
    fleet.reaches(&api, "shopfloor_dispatch_mode{mode=\"sql\"}", 1.0).await;
}

async fn a_person_is_asked(fleet: &Fleet, api: &Member) {
    let worker = remote(fleet, api, "ask").await;
    submit(fleet, api, json!({"title": "ask", "pipeline": "external", "needs": ["ask"], "input": {}})).await;
    let claim =
        json!({"worker_id": worker, "capabilities": ["ask", "external"], "wait_seconds": 20, "lease_seconds": 600});
    let claimed = fleet.post(api, "/queue/claim", claim).await;
    let order = &claimed["orders"][0];
    let question = json!({"name": "which", "prompt": "Which one?"});
    let park = json!({"order_id": order["id"], "epoch": order["epoch"], "question": question});
    let parked = fleet.post(api, "/queue/park", park).await;
    fleet.reaches(api, "shopfloor_clarifications_open", 1.0).await;
    fleet.reaches(api, "shopfloor_order_run_seconds_count", 1.0).await;
    let id = text(&parked["question"]["id"]);
    fleet.post(api, &format!("/questions/{id}/answer"), json!({"answer": 1})).await;
    fleet.reaches(api, "shopfloor_clarification_wait_seconds_count", 1.0).await;
}

/// A worker that holds on to its lease and does nothing loses its session, and learns it when it writes.
async fn a_session_falls_asleep(fleet: &Fleet, api: &Member, orchestrator: &Member) {
    let worker = remote(fleet, api, "sleep").await;
    submit(fleet, api, json!({"title": "sleep", "pipeline": "external", "needs": ["sleep"], "input": {}})).await;
    let claim =
        json!({"worker_id": worker, "capabilities": ["sleep", "external"], "wait_seconds": 20, "lease_seconds": 600});
    let claimed = fleet.post(api, "/queue/claim", claim).await;
    fleet.reaches(api, "shopfloor_claim_batch_size_sum", 2.0).await;
    fleet.reaches(api, "shopfloor_order_wait_seconds_count{priority=\"normal\"}", 2.0).await;
    fleet.reaches(orchestrator, "shopfloor_sessions_reaped_total{reason=\"idle_timeout\"}", 1.0).await;
    let order = &claimed["orders"][0];
    let late = json!({"order_id": order["id"], "epoch": order["epoch"], "result": 1});
    let (status, problem) = fleet.request(api, Method::POST, "/queue/complete", late).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    fleet.reaches(api, "shopfloor_fenced_writes_total{op=\"complete\"}", 1.0).await;
}
