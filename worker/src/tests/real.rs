//! The real sandbox and the real tools, where this machine has them.

use serde_json::json;
use shopfloor_domain::{order::OrderStatus, sandbox::SandboxLevel, task::TaskStatus};
use shopfloor_sandbox::probe::{Settings as ProbeSettings, probe};
use shopfloor_testkit::TestStore;
use tokio::time::Duration;

use super::bench::{Bench, LONG, task};

async fn bench(store: &TestStore) -> Bench {
    let settings =
        ProbeSettings { minimum_level: SandboxLevel::Local, toolchain: None, scratch: store.scratch().join("sandbox") };
    let probed = probe(&settings).await;
    let mut bench = Bench::new(store, shopfloor_sandbox::fake::FakeSandbox::ok());
    bench.deps.sandbox = probed.sandbox;
    assert_eq!(probed.level, SandboxLevel::Local, "this machine has no sandbox: {:?}", probed.findings);
    bench
}

pub(super) async fn real_code_is_checked_run_and_kept(store: &TestStore) {
    let bench = bench(store).await;
    let code = "
import os, pathlib, sys
import helper
print('args', sys.argv[1:], helper.TWICE(21))
pathlib.Path(os.environ['SHOPFLOOR_ARTIFACTS'], 'table.csv').write_text('a,b\\n1,2\\n')
";
    let helper = store.blobs().put(bytes::Bytes::from_static(b"TWICE = lambda n: 2 * n\n")).await.unwrap();
    let file = shopfloor_store::files::NewFile {
        project: shopfloor_domain::Name::DEFAULT,
        name: "helper.py".to_owned(),
        content_type: "text/x-python".to_owned(),
        stored: helper,
        created_by: "test".to_owned(),
    };
    let file = shopfloor_store::files::create(store, file, shopfloor_testkit::T0).await.unwrap();
    let input = json!({ "code": code, "args": ["x"], "files": [{ "file_id": file.id, "name": "helper.py" }] });
    let id = bench.submit(task("run-code", input)).await.task.id;
    bench.work(LONG).await;
    let done = bench.task(id).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    let result = done.result.unwrap();
    assert_eq!(result["stdout"], "args ['x'] 42\n");
    assert_eq!(result["artifacts"][0]["name"], "table.csv");
    assert_eq!(result["sandbox_level"], "local");
}

pub(super) async fn real_tools_block_what_they_must(store: &TestStore) {
    let bench = bench(store).await;
    for (code, rule) in [
        ("print(nowhere)  # noqa", "ruff F821"),
        ("# ruff: noqa\n# ruff: disable[F821]\nprint(nowhere)\n", "ruff F821"),
        ("def broken(:\n", "ruff syntax-error"),
        ("import subprocess, sys\nsubprocess.call(sys.argv[1], shell=True)  # nosec\n", "bandit B602"),
        ("return 1\n", "ruff F706"),
    ] {
        let id = bench.submit(task("run-code", json!({ "code": code }))).await.task.id;
        bench.work(LONG).await;
        let done = bench.task(id).await;
        assert_eq!(done.status, TaskStatus::Failed, "{code}: {done:?}");
        let error = done.error.unwrap();
        assert!(error.starts_with("The critic blocked the code: line ") && error.contains(rule), "{code}: {error}");
    }
    // Unused imports and the like are worth a remark, no more.
    let id = bench.submit(task("run-code", json!({ "code": "import os\nprint(1)\n" }))).await.task.id;
    bench.work(LONG).await;
    let done = bench.task(id).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    assert_eq!(done.result.unwrap()["findings"][0]["rule"], "F401");
}

pub(super) async fn real_code_asks_and_goes_on_with_the_answer(store: &TestStore) {
    let bench = bench(store).await;
    let code = "
import shopfloor
print('beginning')
print('told', shopfloor.ask('Which?', options=['a', 'b'], default='a'))
";
    let id = bench.submit(task("run-code", json!({ "code": code }))).await.task.id;
    assert_eq!(bench.work(Duration::ZERO).await.status, OrderStatus::Parked);
    let question = bench.question(id).await;
    assert_eq!((question.prompt.as_str(), question.default.as_ref()), ("Which?", Some(&json!("a"))));
    bench.answer(&question, json!("b")).await;
    bench.work(Duration::ZERO).await;
    let done = bench.task(id).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    assert_eq!(done.result.unwrap()["stdout"], "beginning\ntold b\n");
}
