//! Runs without people.

use serde_json::json;
use shopfloor_domain::{order::OrderStatus, sandbox::Ending, task::TaskStatus};
use shopfloor_sandbox::{
    Command, Outcome, SandboxError,
    fake::{FakeSandbox, ended},
};
use shopfloor_store::{
    artifacts, events,
    events::{Cursor, EventFilter},
    files::{self, NewFile},
    orders::Verdict,
    projects::{self, Limits},
};
use shopfloor_testkit::{TestStore, name, soon};
use tokio::time::Duration;

use super::bench::{Bench, LONG, clean_report, is_code, prints, sandbox, task, verdict};

const CODE: &str = "print('hello')";

pub(super) async fn code_runs_and_its_result_is_recorded(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(prints("hello\0\n"))));
    let submitted = bench.submit(task("run-code", json!({ "code": CODE, "args": ["x"] }))).await;
    let order = bench.work(LONG).await;
    assert_eq!(order.status, OrderStatus::Completed);
    let done = bench.task(submitted.task.id).await;
    assert_eq!(done.status, TaskStatus::Completed);
    let result = done.result.unwrap();
    assert_eq!(result["ending"], "ok");
    assert_eq!(result["stdout"], "hello\u{fffd}\n");
    assert_eq!(result["sandbox_level"], "local");
    assert_eq!(result["findings"], json!([]));
    assert_eq!(result["artifacts"][0]["name"], "out.csv");
    assert_eq!(result["artifacts"][0]["content_type"], "text/csv");
    for field in ["exit_code", "signal", "stderr", "detail", "wall_ms", "cpu_ms", "peak_memory"] {
        assert!(result.get(field).is_some(), "{field} in {result}");
    }
    assert_eq!(bench.step_lines(submitted.task.id).await, ["check completed", "run completed"]);
    let kept = artifacts::of_task(&bench.deps.store, submitted.task.id).await.unwrap();
    let bytes = bench.deps.store.blobs().get(&kept[0].storage_key).await.unwrap();
    assert_eq!(&bytes[..], b"a,b\n1,2\n");
}

fn finding(rule: &str) -> String {
    let location = json!({ "row": 1, "column": 7 });
    json!([{ "code": rule, "filename": "/inputs/main.py", "location": location, "message": "Undefined name `x`" }])
        .to_string()
}

pub(super) async fn blocking_findings_keep_the_code_from_running(store: &TestStore) {
    let fake = FakeSandbox::new(|job| match &job.command {
        Command::Tool { name: "ruff", .. } => {
            Ok(Outcome { stdout: finding("F821"), exit_code: Some(1), ..ended(Ending::UserError) })
        }
        Command::Tool { name, .. } => Ok(clean_report(name)),
        Command::Python { .. } => panic!("blocked code ran"),
    });
    let bench = Bench::new(store, fake);
    let submitted = bench.submit(task("run-code", json!({ "code": "print(x)" }))).await;
    assert_eq!(bench.work(LONG).await.status, OrderStatus::Failed);
    let done = bench.task(submitted.task.id).await;
    assert_eq!(done.error.unwrap(), "The critic blocked the code: line 1: Undefined name `x` (ruff F821)");
    let result = done.result.unwrap();
    assert_eq!(result["ending"], json!(null));
    let expected = json!([{ "tool": "ruff", "rule": "F821", "severity": "high", "line": 1, "column": 7,
        "message": "Undefined name `x`", "blocking": true }]);
    assert_eq!(result["findings"], expected);
    assert_eq!(bench.step_lines(submitted.task.id).await, ["check failed"]);
}

pub(super) async fn a_critic_that_cannot_run_fails_closed(store: &TestStore) {
    let missing =
        || SandboxError::ToolMissing { tool: "bandit".to_owned(), remedy: "install the toolchain".to_owned() };
    type Fault = Box<dyn Fn() -> Result<Outcome, SandboxError> + Send + Sync>;
    let faults: Vec<(&str, Fault)> = vec![
        ("is not in the toolchain. Remedy: install the toolchain.", Box::new(move || Err(missing()))),
        ("ended with `timed_out`", Box::new(|| Ok(ended(Ending::TimedOut)))),
        ("ended with `sandbox_crash`", Box::new(|| Ok(ended(Ending::SandboxCrash)))),
        ("exit code 2", Box::new(|| Ok(Outcome { exit_code: Some(2), ..ended(Ending::UserError) }))),
        ("printed something unreadable", Box::new(|| Ok(Outcome { stdout: "oops".to_owned(), ..ended(Ending::Ok) }))),
    ];
    for (expected, fault) in faults {
        let fake = FakeSandbox::new(move |job| match &job.command {
            Command::Tool { name: "bandit", .. } => fault(),
            Command::Tool { name, .. } => Ok(clean_report(name)),
            Command::Python { .. } => panic!("unchecked code ran"),
        });
        let bench = Bench::new(store, fake);
        let submitted = bench.submit(task("run-code", json!({ "code": CODE }))).await;
        assert_eq!(bench.work(LONG).await.status, OrderStatus::Failed);
        let done = bench.task(submitted.task.id).await;
        let error = done.error.unwrap();
        assert!(error.starts_with("The critic could not check the code") && error.contains(expected), "{error}");
        let result = done.result.unwrap();
        assert_eq!(result["code"], "critic_unavailable");
        assert!(!result["remedy"].as_str().unwrap().is_empty());
    }
}

pub(super) async fn an_ending_that_is_not_ok_fails_the_task(store: &TestStore) {
    for ending in [Ending::TimedOut, Ending::UserError, Ending::OutOfMemory, Ending::OutputLimit, Ending::ArtifactLimit]
    {
        let bench = Bench::new(store, sandbox(move |_| Ok(ended(ending))));
        let submitted = bench.submit(task("run-code", json!({ "code": CODE }))).await;
        assert_eq!(bench.work(LONG).await.status, OrderStatus::Failed);
        let done = bench.task(submitted.task.id).await;
        assert_eq!(done.result.unwrap()["ending"], ending.as_str());
        assert_eq!(done.error.unwrap(), format!("The fake sandbox was told to end with `{ending}`."));
    }
}

pub(super) async fn a_sandbox_that_breaks_is_tried_again(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(ended(Ending::SandboxCrash))));
    let submitted = bench.submit(task("run-code", json!({ "code": CODE }))).await;
    let held = bench.claim().await;
    let verdict = verdict(bench.engine(LONG).work(&held).await);
    assert!(matches!(&verdict, Verdict::Retry { error, .. } if error.starts_with("The sandbox failed")), "{verdict:?}");
    assert_eq!(bench.finish(&held, verdict).await.status, OrderStatus::Queued);
    bench.clock.advance(LONG);
    let well = bench.with(sandbox(|_| Ok(prints("ok"))));
    assert_eq!(well.work(LONG).await.status, OrderStatus::Completed);
    let steps = bench.steps(submitted.task.id).await;
    assert_eq!((steps[0].attempt, steps[1].attempt), (1, 2), "the critic's step is not done again");
}

pub(super) async fn input_that_makes_no_sense_fails_with_a_sentence(store: &TestStore) {
    let nowhere = "0199c0de-0000-7000-8000-000000000000";
    for (input, expected) in [
        (json!({}), "needs either `code` or `file_id`"),
        (json!({ "code": 1 }), "is not what the pipeline takes"),
        (json!({ "file_id": nowhere }), "There is no file"),
        (json!({ "code": "1", "files": [{ "file_id": nowhere, "name": "main.py" }] }), "`main.py` is taken"),
        (json!({ "code": "1", "limits": { "wall_seconds": 0 } }), "at least 1"),
        (json!({ "code": "1", "limits": { "memory": 1 } }), "unknown field `memory`"),
    ] {
        let bench = Bench::new(store, sandbox(|_| panic!("code ran")));
        let submitted = bench.submit(task("run-code", input)).await;
        assert_eq!(bench.work(LONG).await.status, OrderStatus::Failed);
        let error = bench.task(submitted.task.id).await.error.unwrap();
        assert!(error.contains(expected), "{error}");
    }
}

pub(super) async fn files_go_in_and_foreign_ones_do_not(store: &TestStore) {
    let fake = sandbox(|_| Ok(ended(Ending::Ok)));
    let bench = Bench::new(store, fake.clone());
    let now = shopfloor_domain::Clock::now(&*bench.clock);
    let stored = store.blobs().put(bytes::Bytes::from_static(b"a,b\n")).await.unwrap();
    let new = |project: &str| NewFile {
        project: name(project),
        name: "data.csv".to_owned(),
        content_type: "text/csv".to_owned(),
        stored: stored.clone(),
        created_by: "test".to_owned(),
    };
    let file = files::create(store, new("default"), now).await.unwrap();
    let input = |id| json!({ "code": CODE, "files": [{ "file_id": id, "name": "sub/data.csv" }], "limits": { "wall_seconds": 3 } });
    bench.submit(task("run-code", input(file.id))).await;
    assert_eq!(bench.work(LONG).await.status, OrderStatus::Completed);
    let job = fake.jobs().into_iter().find(is_code).unwrap();
    assert_eq!(job.inputs[1].path, "sub/data.csv");
    assert_eq!(&job.inputs[1].bytes[..], b"a,b\n");
    assert_eq!(job.limits.wall, Duration::from_secs(3));
    let tools = fake.jobs().into_iter().filter(|job| !is_code(job));
    assert!(tools.into_iter().all(|job| job.inputs.len() == 1), "tools see Python only");

    projects::put(store, &name("other"), Limits::default(), now).await.unwrap();
    let foreign = files::create(store, new("other"), now).await.unwrap();
    let submitted = bench.submit(task("run-code", input(foreign.id))).await;
    assert_eq!(bench.work(LONG).await.status, OrderStatus::Failed);
    assert!(bench.task(submitted.task.id).await.error.unwrap().starts_with("There is no file"));
}

pub(super) async fn live_output_is_in_the_event_log(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(Outcome { stderr: "warn".to_owned(), ..prints("hello") })));
    let submitted = bench.submit(task("run-code", json!({ "code": CODE }))).await;
    bench.work(LONG).await;
    let kinds = vec![shopfloor_domain::event::EventKind::StepOutput];
    let filter = EventFilter { task_id: Some(submitted.task.id), kinds };
    // PostgreSQL shows an event once every older transaction of the server is over, other tests' included.
    let output = soon("the output", async {
        loop {
            match events::read(store, Cursor::START, &filter, 100).await.unwrap() {
                none if none.is_empty() => tokio::time::sleep(Duration::from_millis(2)).await,
                output => return output,
            }
        }
    })
    .await;
    let seen: Vec<_> = output.iter().map(|e| (e.payload["stream"].as_str(), e.payload["text"].as_str())).collect();
    assert_eq!(seen, [(Some("stdout"), Some("hello")), (Some("stderr"), Some("warn"))]);
    let step = &bench.steps(submitted.task.id).await[1];
    assert!(output.iter().all(|event| event.payload["step_id"] == json!(step.id)));
}

pub(super) async fn a_run_that_takes_too_long_is_stopped(store: &TestStore) {
    let fake = FakeSandbox::with(|_, _| Box::pin(std::future::pending()));
    let bench = Bench::new(store, fake);
    let mut new = task("run-code", json!({ "code": CODE }));
    new.definition["max_seconds"] = json!(1);
    let submitted = bench.submit(new).await;
    assert_eq!(bench.work(LONG).await.status, OrderStatus::Failed);
    let error = bench.task(submitted.task.id).await.error.unwrap();
    assert_eq!(error, "It ran longer than its pipeline allows.");
}
