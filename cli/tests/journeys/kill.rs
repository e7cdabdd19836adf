//! `kill -9` in the middle, a restart, and nothing that was done is done again.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Ran, Shop, example, in_time, text};

/// Leases that run out soon, so that a killed worker's orders are taken back soon.
const QUICK: [&str; 6] = ["--lease", "3s", "--renew-every", "500ms", "--retry-base", "100ms"];

fn row(name: &str, kind: &str, round: i64, attempt: i64) -> (String, String, String, i64, i64) {
    (name.to_owned(), kind.to_owned(), "completed".to_owned(), round, attempt)
}

async fn submit(shop: &Shop, script: &str, data: &str) -> String {
    let (script, data) = (example(script), example(data));
    text(&shop.cli(&["submit", &script, "--input", &data, "--json"]).await.ends(0).json()["id"])
}

/// Each step was completed at most once, whatever happened to the process.
async fn no_step_was_repeated(shop: &Shop, task: &str) {
    let events = shop.get(&format!("/tasks/{task}/events?kind=step.status&limit=500")).await;
    let mut completed: Vec<String> = Vec::new();
    for event in events["items"].as_array().unwrap() {
        if event["payload"]["to"] == "completed" {
            completed.push(text(&event["payload"]["step_id"]));
        }
    }
    let all = completed.len();
    completed.sort();
    completed.dedup();
    assert_eq!(completed.len(), all, "a step was completed twice");
}

#[tokio::test]
async fn a_killed_analysis_goes_on_at_the_step_that_was_running() {
    let mut shop = Shop::with(&QUICK).await;
    let task = submit(&shop, "analysis.py", "data/sunspots.csv").await;
    shop.events(&task).await.printed("1000 of 5000").await;
    shop.kill().await;
    shop.start_again().await;

    let done = shop.over(&task).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(shop.steps(&task).await, [row("check", "critic", 0, 1), row("run", "sandbox", 0, 2)]);
    no_step_was_repeated(&shop, &task).await;
    assert_eq!(done["order"]["epoch"], 2, "{done}");
    let artifacts = shop.get(&format!("/tasks/{task}/artifacts")).await;
    let mut names: Vec<_> = artifacts["items"].as_array().unwrap().iter().map(|a| text(&a["name"])).collect();
    names.sort();
    assert_eq!(names, ["cycles.csv", "sunspots.png"], "each once, though the step was begun twice");
    let results = shop.get(&format!("/tasks/{task}/results")).await;
    let ends: Vec<_> = results["executions"].as_array().unwrap().iter().map(|e| text(&e["status"])).collect();
    assert_eq!(ends, ["lost", "completed"]);
}

/// Kills the server while a question is open, answers after the restart, and sees the task complete.
async fn kill_and_answer(mut shop: Shop, order: &str) -> Value {
    let task = submit(&shop, "ask_column.py", "data/elnino.csv").await;
    let question = text(&shop.question(&task).await["id"]);
    shop.order_is(&task, order).await;
    shop.kill().await;
    shop.start_again().await;

    assert_eq!(shop.question(&task).await["id"], question, "the question outlives the process");
    shop.cli(&["answer", &question, "JUL"]).await.ends(0);
    let done = shop.over(&task).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert!(text(&done["result"]["stdout"]).starts_with("JUL: 61 values"), "{done}");
    let steps = shop.steps(&task).await;
    let of = |kind: &str| steps.iter().filter(|step| step.1 == kind).cloned().collect::<Vec<_>>();
    assert_eq!(of("critic"), [row("check", "critic", 0, 1)], "{steps:?}");
    let runs = of("sandbox");
    assert_eq!(runs, [row("run", "sandbox", 0, 1), row("run", "sandbox", 1, 1)], "asked, then answered: {steps:?}");
    assert_eq!(of("ask").len(), 1, "{steps:?}");
    no_step_was_repeated(&shop, &task).await;
    done
}

#[tokio::test]
async fn a_question_survives_a_kill_while_the_worker_holds_on() {
    let shop = Shop::with(&[&QUICK[..], &["--grace", "80s"]].concat()).await;
    let done = kill_and_answer(shop, "claimed").await;
    assert_eq!(done["order"]["epoch"], 2, "the claim that asked, and the one that went on: {done}");
}

#[tokio::test]
async fn a_question_survives_a_kill_while_parked() {
    let shop = Shop::with(&[&QUICK[..], &["--grace", "0s"]].concat()).await;
    let done = kill_and_answer(shop, "parked").await;
    assert_eq!(done["order"]["epoch"], 2, "{done}");
    assert_eq!(done["order"]["attempt"], 1, "parking burns no attempt: {done}");
}

#[tokio::test]
async fn wait_and_logs_survive_a_restart() {
    let mut shop = Shop::with(&QUICK).await;
    let code = "import time\nfor i in range(30):\n    print(f'line {i}.', flush=True)\n    time.sleep(0.1)\n";
    let task = shop.run_code("thirty lines", code).await;
    let mut logs = shop.command(&["logs", "-f", &task, "--json"]);
    let logs = logs.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    shop.events(&task).await.printed("line 3.").await;
    shop.kill().await;
    shop.start_again().await;

    let logs = in_time("logs -f", logs.wait_with_output()).await.unwrap();
    assert!(logs.status.success(), "{}", String::from_utf8_lossy(&logs.stderr));
    let lines = String::from_utf8(logs.stdout).unwrap();
    let mut ids: Vec<String> = Vec::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        ids.push(text(&event["id"]));
    }
    let recorded = shop.get(&format!("/tasks/{task}/events?limit=500")).await;
    let recorded: Vec<_> = recorded["items"].as_array().unwrap().iter().map(|event| text(&event["id"])).collect();
    assert_eq!(ids, recorded[..ids.len()], "nothing is missing, nothing comes twice");
    let waited = Ran::finish(&["logs"], shop.command(&["logs", &task, "--quiet"])).await.ends(0);
    assert!(waited.stdout.contains("line 29."), "{}", waited.stdout);
}
