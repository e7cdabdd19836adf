//! Short words for the tests: a job, a sandbox, a run.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use shopfloor_domain::{
    Epoch, Fence, OrderId,
    sandbox::{Ending, Limits, SandboxLevel},
};
use shopfloor_sandbox::{
    Command, Input, Job, Outcome, Output, OutputSink, Sandbox, SandboxError,
    probe::{Probed, Settings, probe},
};
use tokio::{sync::OnceCell, time::Instant};
use tokio_util::sync::CancellationToken;

pub(crate) const MIB: u64 = 1024 * 1024;

/// What this machine offers, probed once per process.
pub(crate) async fn probed() -> &'static Probed {
    static PROBED: OnceCell<Probed> = OnceCell::const_new();
    PROBED.get_or_init(|| async { probe(&settings(SandboxLevel::Local)).await }).await
}

pub(crate) fn settings(minimum_level: SandboxLevel) -> Settings {
    Settings { minimum_level, toolchain: None, scratch: std::env::temp_dir() }
}

pub(crate) async fn sandbox() -> Arc<dyn Sandbox> {
    let probed = probed().await;
    assert_eq!(probed.level, SandboxLevel::Local, "these tests need the local sandbox: {:#?}", probed.findings);
    Arc::clone(&probed.sandbox)
}

/// A job that runs this Python source.
pub(crate) fn python(source: &str) -> Job {
    Job {
        fence: Fence { order_id: OrderId::new(), epoch: Epoch(1) },
        command: Command::Python { script: "main.py".into(), args: Vec::new() },
        inputs: vec![input("main.py", source)],
        env: BTreeMap::new(),
        answers: Vec::new(),
        limits: Limits { wall: Duration::from_secs(60), ..Limits::default() },
    }
}

pub(crate) fn limited(source: &str, limit: impl FnOnce(&mut Limits)) -> Job {
    let mut job = python(source);
    limit(&mut job.limits);
    job
}

pub(crate) fn with_args(source: &str, args: &[&str]) -> Job {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Job { command: Command::Python { script: "main.py".into(), args }, ..python(source) }
}

pub(crate) fn input(path: &str, text: &str) -> Input {
    Input { path: path.into(), bytes: text.to_owned().into() }
}

pub(crate) fn deaf() -> OutputSink {
    Arc::new(|_| {})
}

pub(crate) async fn run(job: Job) -> Outcome {
    try_run(job).await.unwrap()
}

pub(crate) async fn try_run(job: Job) -> Result<Outcome, SandboxError> {
    sandbox().await.run(job, deaf(), CancellationToken::new()).await
}

/// Runs the job, which must end well, and returns what it printed.
pub(crate) async fn said(job: Job) -> String {
    let outcome = run(job).await;
    assert_eq!(outcome.ending, Ending::Ok, "{outcome:#?}");
    outcome.stdout.trim_end().to_owned()
}

/// A sink that remembers, and what it has heard.
pub(crate) fn ear() -> (OutputSink, Arc<Mutex<Vec<Output>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    (Arc::new(move |output| ear.lock().unwrap().push(output)), heard)
}

/// A sink that tells when it hears something for the first time.
pub(crate) fn bell() -> (OutputSink, Arc<tokio::sync::Notify>) {
    let bell = Arc::new(tokio::sync::Notify::new());
    let ring = Arc::clone(&bell);
    (Arc::new(move |_| ring.notify_one()), bell)
}

/// Processes on this machine with this text in their command line.
pub(crate) fn processes_with(mark: &str) -> usize {
    let lines =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}

/// Waits for something that another process does. Other processes ring no bell here, so this has to look.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited for too long: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
