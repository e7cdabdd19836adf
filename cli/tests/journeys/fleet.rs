//! Several workers, cancelling, pausing, delaying.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Shop, example, text};

#[tokio::test]
async fn three_tasks_go_to_three_different_workers() {
    let shop = Shop::start().await;
    shop.until("three workers are there", || async {
        let workers = shop.get("/workers").await;
        (workers["items"].as_array().unwrap().len() == 3).then_some(())
    })
    .await;
    let task = |n: u32| json!({"title": format!("task {n}"), "input": {"code": "import time\ntime.sleep(3)\n"}});
    let submitted = shop.post("/tasks/bulk", json!({"tasks": [task(1), task(2), task(3)]})).await;
    let mut workers = BTreeSet::new();
    for task in submitted["items"].as_array().unwrap() {
        let done = shop.over(&text(&task["id"])).await;
        assert_eq!(done["status"], "completed", "{done}");
        let results = shop.get(&format!("/tasks/{}/results", text(&task["id"]))).await;
        let executions = results["executions"].as_array().unwrap();
        assert_eq!(executions.len(), 1, "{results}");
        workers.insert(text(&executions[0]["worker_id"]));
    }
    assert_eq!(workers.len(), 3, "{workers:?}");
}

#[tokio::test]
async fn cancelling_a_running_task_is_confirmed() {
    let shop = Shop::start().await;
    let id = text(&shop.cli(&["submit", &example("endless.py"), "--json"]).await.ends(0).json()["id"]);
    shop.events(&id).await.printed("still here").await;
    let why = shop.cli(&["why", &id[id.len() - 8..], "--json"]).await.ends(0).json();
    assert_eq!(why["code"], "running", "{why}");
    let sessions = shop.cli(&["sessions", "--json"]).await.ends(0).json();
    assert_eq!(sessions["items"][0]["task_id"], id, "{sessions}");

    let task = shop.cli(&["cancel", &id, "--wait", "--json"]).await.ends(0).json();
    assert_eq!(task["status"], "cancelled", "{task}");
    shop.until("the worker is idle again", || async {
        let workers = shop.get("/workers").await;
        let idle = |worker: &Value| worker["status"] == "idle" && worker["held"] == 0;
        workers["items"].as_array().unwrap().iter().all(idle).then_some(())
    })
    .await;
    shop.cli(&["cancel", &id]).await.ends(1);
    let sessions = shop.cli(&["sessions", "--json"]).await.ends(0).json();
    assert_eq!(sessions["items"], json!([]));
    let again = shop.cli(&["retry", &id, "--json"]).await.ends(0).json();
    assert_eq!(again["order"]["attempt"], 0, "a new order: {again}");
    shop.cli(&["cancel", &id, "--wait"]).await.ends(0);
}

#[tokio::test]
async fn a_waiting_task_says_why_and_a_paused_queue_goes_on_later() {
    let shop = Shop::start().await;
    shop.cli(&["queue", "pause"]).await.ends(0);
    let paused = shop.run_code("paused", "print(1)").await;
    let delayed = shop.cli(&["submit", &example("endless.py"), "--delay", "1h", "--json"]).await.ends(0).json();
    let why = |id: String| async {
        let id = id;
        shop.cli(&["why", &id, "--json"]).await.ends(0).json()
    };
    assert_eq!(why(paused.clone()).await["code"], "queue_paused");
    assert_eq!(why(text(&delayed["id"])).await["code"], "delayed");
    let queue = shop.cli(&["queue"]).await.ends(0);
    assert!(queue.stdout.contains("default is paused"), "{}", queue.stdout);
    shop.cli(&["queue", "resume"]).await.ends(0);
    assert_eq!(shop.over(&paused).await["status"], "completed");
    let cancelled = shop.cli(&["cancel", &text(&delayed["id"]), "--json"]).await.ends(0).json();
    assert_eq!(cancelled["status"], "cancelled", "what waits is cancelled at once");
    shop.cli(&["submit", &example("endless.py"), "--delay", "1h", "--needs", "gpu"]).await.ends(0);
}
