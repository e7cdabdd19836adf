//! A worker in another language: `examples/worker.py` against the real binary.

use std::process::Stdio;

use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{Shop, example, in_time, text};

/// A running `examples/worker.py`.
struct Python(Child);

impl Python {
    /// Starts it with a key that may work and nothing else.
    async fn start(shop: &Shop) -> Self {
        let made = shop.post("/keys", json!({"name": "remote", "role": "worker"})).await;
        let mut python = Command::new("python3");
        python.arg(example("worker.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        python.env("SHOPFLOOR_URL", &shop.server.url).env("SHOPFLOOR_API_KEY", text(&made["secret"]));
        python.env("no_proxy", "*").stdin(Stdio::null()).kill_on_drop(true);
        Self(python.spawn().expect("python3"))
    }

    fn signal(&self, signal: Signal) {
        let id = self.0.id().expect("it runs").try_into().expect("a process id");
        kill_process(Pid::from_raw(id).expect("a process id"), signal).expect("signalled");
    }

    async fn ended(&mut self) -> std::process::ExitStatus {
        in_time("the worker ends", self.0.wait()).await.expect("its status")
    }
}

/// Submits as the documentation says; the task's id.
async fn submit(shop: &Shop, input: &Value) -> String {
    let input = input.to_string();
    let args = ["submit", "--pipeline", "external", "--needs", "word-count", "--input-json", &input, "--json"];
    text(&shop.cli(&args).await.ends(0).json()["id"])
}

/// Waits until a worker has the order with this epoch; the task.
async fn claimed(shop: &Shop, task: &str, epoch: i64) -> Value {
    shop.until("it is claimed", || async {
        let task = shop.get(&format!("/tasks/{task}")).await;
        (task["order"]["epoch"] == epoch && task["order"]["status"] == "claimed").then_some(task)
    })
    .await
}

/// Waits until the worker has renewed the lease of this claim: it has the order in its hands then.
async fn renewed(shop: &Shop, claimed: &Value) {
    let lease = &claimed["order"]["lease_expires_at"];
    shop.until("the lease is renewed", || async {
        let now = shop.get(&format!("/tasks/{}", text(&claimed["id"]))).await;
        let same = now["order"]["epoch"] == claimed["order"]["epoch"];
        assert!(same, "it was lost before it was renewed: {now}");
        (now["order"]["lease_expires_at"] != *lease).then_some(())
    })
    .await;
}

async fn answer(shop: &Shop, task: &str, answer: &str) {
    shop.order_is(task, "parked").await;
    let question = shop.question(task).await;
    shop.cli(&["answer", &text(&question["id"]), answer]).await.ends(0);
}

#[tokio::test]
async fn a_python_worker_asks_parks_and_completes() {
    let shop = Shop::start().await;
    let task = submit(&shop, &json!({"text": "to be or not to be"})).await;
    // The server's own workers begin once the sandbox has been tried out; they leave the order alone.
    shop.until("why it waits", || async {
        let why = shop.cli(&["why", &task, "--json"]).await.ends(0).json();
        (why["code"] == "no_able_worker").then_some(())
    })
    .await;

    let mut python = Python::start(&shop).await;
    answer(&shop, &task, "1").await;
    let done = shop.over(&task).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["result"], json!({"words": 6, "top": [["to", 2]]}));
    assert_eq!((&done["order"]["epoch"], &done["order"]["attempt"]), (&json!(2), &json!(1)), "parking burns nothing");
    let row = ("top".to_owned(), "ask".to_owned(), "completed".to_owned(), 0, 1);
    assert_eq!(shop.steps(&task).await, [row]);

    python.signal(Signal::TERM);
    assert!(python.ended().await.success());
}

#[tokio::test]
async fn a_second_worker_takes_over_and_the_ghost_is_refused() {
    let shop = Shop::start().await;
    let mut first = Python::start(&shop).await;
    let task = submit(&shop, &json!({"text": "a rose is a rose", "seconds": 3600})).await;
    answer(&shop, &task, "10").await;
    let held = claimed(&shop, &task, 2).await;
    renewed(&shop, &held).await;
    let order = &held["order"];
    first.signal(Signal::KILL);
    first.ended().await;

    let mut second = Python::start(&shop).await;
    let taken = claimed(&shop, &task, 3).await;
    assert_ne!(taken["order"]["worker_id"], order["worker_id"]);
    let ghost = json!({"order_id": order["id"], "epoch": 2, "result": "too late"});
    let (status, problem) = shop.request(Method::POST, "/queue/complete", Some(ghost)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("stale_epoch")), "{problem}");

    // Once it has renewed its lease it is in mid-work: told to stop, it hands back what it holds when it is told to stop: the lease need not run out.
    renewed(&shop, &taken).await;
    second.signal(Signal::TERM);
    assert!(second.ended().await.success());
    let back = shop.get(&format!("/tasks/{task}")).await;
    assert_eq!((&back["order"]["status"], &back["order"]["epoch"]), (&json!("queued"), &json!(3)), "{back}");
    let steps = shop.steps(&task).await;
    assert_eq!(steps.len(), 1, "nobody was asked again: {steps:?}");
}

#[tokio::test]
async fn a_python_worker_confirms_a_cancellation() {
    let shop = Shop::start().await;
    let _python = Python::start(&shop).await;
    let task = submit(&shop, &json!({"text": "a", "seconds": 3600})).await;
    answer(&shop, &task, "1").await;
    claimed(&shop, &task, 2).await;
    let cancelled = shop.cli(&["cancel", &task, "--wait", "--json"]).await.ends(0).json();
    assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
}
