//! Measures how soon an SSE client of one API process sees what a worker process did:
//! `cargo bench -p shopfloor --bench sse_latency` (`--profile dev` for a quick look). On a PostgreSQL and a Redis of its own,
//! with two API processes: tasks are submitted at the second one, the client listens at the first one.
//!
//! `did`: from the time that the worker wrote into an event, which is before its transaction, to the client having the event.
//! `printed`: from the job's own look at the clock before it printed to the client having the output.

#![allow(clippy::unwrap_used, reason = "it ends by panicking")]

#[path = "../tests/journeys/support/command.rs"]
mod command;
#[expect(dead_code, reason = "the journeys use more of it")]
#[path = "../tests/journeys/support/fleet.rs"]
mod fleet;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fleet::{Fleet, Member};
use futures::StreamExt;
use serde_json::{Value, json};
use shopfloor_domain::Timestamp;
use shopfloor_testkit::soon;

const TASKS: usize = 40;
const PRINTS: &str =
    "import time\nfor i in range(5):\n    print(f'at {time.time_ns()}', flush=True)\n    time.sleep(0.25)\n";

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{TASKS} tasks; from a worker process to a client of another API process than the submitter's, in ms");
        for load in [false, true] {
            measure(load).await;
        }
    });
}

async fn measure(load: bool) {
    let fleet = Fleet::new().await;
    let (first, second) = (fleet.api("api-1", &[]).await, fleet.api("api-2", &[]).await);
    let _worker = fleet.role("worker", "worker", &["--slots", "2"]).await;
    let _orchestrator = fleet.role("orchestrator", "orchestrator", &[]).await;
    let stop = AtomicBool::new(false);
    let seen = Arc::new(tokio::sync::Mutex::new((Vec::new(), Vec::new())));
    let listening = tokio::spawn(listen(fleet.events(&first, "0-0").await, Arc::clone(&seen)));
    let busy = async {
        // Orders that nobody can run: they write to the log and wait.
        while load && !stop.load(Ordering::Relaxed) {
            let task = json!({"title": "load", "needs": ["nobody"], "input": {"code": "print(1)"}});
            fleet.post(&second, "/tasks/bulk", json!({"tasks": vec![task; 20]})).await;
        }
    };
    let work = async {
        run(&fleet, &second).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(busy, work);
    tokio::time::sleep(Duration::from_secs(1)).await;
    listening.abort();
    let (did, printed) = &mut *seen.lock().await;
    for (what, all) in [("did", did), ("printed", printed)] {
        all.sort_by(f64::total_cmp);
        let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize];
        let beside = if load { "beside a busy writer" } else { "quiet" };
        let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
        println!(
            "{beside:>20}, {what:>7}: p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  max {max:.1}  ({} events)",
            all.len()
        );
    }
}

/// Submits the tasks two by two and waits for them.
async fn run(fleet: &Fleet, api: &Member) {
    for _ in 0..TASKS / 2 {
        let task = json!({"title": "sample", "input": {"code": PRINTS}});
        let submitted = fleet.post(api, "/tasks/bulk", json!({"tasks": [task, task]})).await;
        for task in submitted["items"].as_array().unwrap() {
            let path = format!("/tasks/{}", task["id"].as_str().unwrap());
            let over = async {
                while fleet.get(api, &path).await["status"] != "completed" {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            soon("a task to complete", over).await;
        }
    }
}

async fn listen(
    mut events: impl futures::Stream<Item = fleet::Entry> + Unpin,
    seen: Arc<tokio::sync::Mutex<(Vec<f64>, Vec<f64>)>>,
) {
    while let Some((_, kind, event)) = events.next().await {
        let now = nanos();
        let (did, printed) = &mut *seen.lock().await;
        // What the worker writes: claims, steps, sessions, verdicts. Submissions are the API's.
        let by_worker = kind.starts_with("step.") || kind.starts_with("session.") || is_verdict(&kind, &event);
        let at = event["created_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        if let Some(at) = at.filter(|_| by_worker) {
            did.push(now as f64 / 1e6 - at.0 as f64);
        }
        if let Some(text) = event["payload"]["text"].as_str().filter(|_| kind == "step.output") {
            let times = text.lines().filter_map(|line| line.strip_prefix("at ")?.parse::<i64>().ok());
            printed.extend(times.map(|at| (now - at) as f64 / 1e6));
        }
    }
}

fn is_verdict(kind: &str, event: &Value) -> bool {
    kind == "order.status" && event["payload"]["to"] != "queued"
}

#[expect(clippy::disallowed_methods, reason = "processes compare by the one clock that they share, finer than ms")]
fn nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(0))
}
