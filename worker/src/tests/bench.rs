//! What the tests share: a record, a queue, a clock that stands still, and a sandbox that plays a script.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use shopfloor_domain::{Clock, TaskId, lease::LeasePolicy, sandbox::Ending, time::ManualClock};
use shopfloor_pipelines::Catalog;
use shopfloor_queue::SqlQueue;
use shopfloor_sandbox::{
    Collected, Command, Job, Outcome, Sandbox, SandboxError,
    fake::{FakeSandbox, ended},
    job::Asked,
};
use shopfloor_store::{
    orders::{ClaimRequest, Order, Verdict},
    questions::{self, Question, QuestionFilter},
    steps::{self, Step},
    tasks::{self, NewTask, Submitted, Task},
    workers,
};
use shopfloor_telemetry::Metrics;
use shopfloor_testkit::{T0, TestStore, capabilities, name, new_task, soon, worker};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Deps, Settings,
    engine::{Ended, Engine},
    held::{Hands, Held},
};

/// How long nothing in a test takes.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) struct Bench {
    pub(super) deps: Deps,
    pub(super) clock: Arc<ManualClock>,
}

/// A sandbox whose tools find nothing and whose Python does what `code` says.
pub(super) fn sandbox(code: impl Fn(&Job) -> Result<Outcome, SandboxError> + Send + Sync + 'static) -> FakeSandbox {
    FakeSandbox::new(move |job| match &job.command {
        Command::Tool { name, .. } => Ok(clean_report(name)),
        Command::Python { .. } => code(job),
    })
}

/// What a tool says about code without findings.
pub(super) fn clean_report(tool: &str) -> Outcome {
    let stdout = if tool == "ruff" { "[]".to_owned() } else { json!({ "errors": [], "results": [] }).to_string() };
    Outcome { stdout, ..ended(Ending::Ok) }
}

/// Code that prints, and leaves a file.
pub(super) fn prints(text: &str) -> Outcome {
    let artifacts = vec![Collected { name: "out.csv".to_owned(), bytes: Bytes::from_static(b"a,b\n1,2\n") }];
    Outcome { stdout: text.to_owned(), artifacts, ..ended(Ending::Ok) }
}

/// Code that asks a question.
pub(super) fn asks(prompt: &str) -> Outcome {
    let asked = Asked {
        prompt: prompt.to_owned(),
        options: vec![json!("a"), json!("b")],
        default: None,
        deadline_seconds: None,
    };
    Outcome { asked: Some(asked), ..ended(Ending::Asked) }
}

pub(super) fn is_code(job: &Job) -> bool {
    matches!(job.command, Command::Python { .. })
}

/// A task for a built-in pipeline.
pub(super) fn task(pipeline: &str, input: Value) -> NewTask {
    let catalog = Catalog::load(None).unwrap();
    let entry = catalog.get(&name(pipeline)).unwrap();
    NewTask {
        pipeline: name(pipeline),
        pipeline_version: entry.version.clone(),
        definition: entry.pipeline.to_json(),
        input,
        ..new_task("Do it")
    }
}

pub(super) fn verdict(ended: Ended) -> Verdict {
    match ended {
        Ended::Verdict(verdict) => verdict,
        Ended::Gone => panic!("the order is gone"),
    }
}

impl Bench {
    pub(super) fn new(store: &TestStore, sandbox: impl Sandbox) -> Self {
        let clock = Arc::new(ManualClock::at(T0));
        let queue = SqlQueue::new((**store).clone());
        let deps = Deps {
            store: (**store).clone(),
            queue: Arc::new(queue),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            metrics: Metrics::new(),
            sandbox: Arc::new(sandbox),
        };
        Self { deps, clock }
    }

    /// The same record, seen with another sandbox.
    pub(super) fn with(&self, sandbox: impl Sandbox) -> Self {
        let deps = Deps { sandbox: Arc::new(sandbox), ..self.deps.clone() };
        Self { deps, clock: Arc::clone(&self.clock) }
    }

    pub(super) fn settings() -> Settings {
        let lease = LeasePolicy { renew_every: Duration::from_millis(50), ..LeasePolicy::default() };
        Settings { capabilities: capabilities("python"), grace: Duration::ZERO, lease, ..Settings::default() }
    }

    pub(super) fn engine(&self, grace: Duration) -> Engine {
        Engine::new(self.deps.clone(), &Settings { grace, ..Self::settings() })
    }

    pub(super) async fn submit(&self, new: NewTask) -> Submitted {
        let submitted = tasks::submit(&self.deps.store, new, self.clock.now()).await.unwrap();
        self.deps.queue.publish(&[submitted.order_id], self.clock.now()).await.unwrap();
        submitted
    }

    /// The next order, claimed by a worker of its own.
    pub(super) async fn claim(&self) -> Arc<Held> {
        let claim = async {
            loop {
                match self.try_claim().await {
                    Some(held) => return held,
                    // PostgreSQL ends the transaction of a dropped connection in its own time; till then a claim skips its order.
                    None => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            }
        };
        soon("an order to claim", claim).await
    }

    /// The next order, if there is one now.
    pub(super) async fn try_claim(&self) -> Option<Arc<Held>> {
        let worker = workers::register(&self.deps.store, worker(), self.clock.now()).await.unwrap();
        let request = ClaimRequest {
            worker_id: worker.id,
            queues: Vec::new(),
            capabilities: capabilities("python"),
            limit: 1,
            lease: LeasePolicy::default().ttl,
        };
        let claim = self.deps.queue.claim(&request, self.clock.now()).await.unwrap().pop()?;
        let hands = Hands::new(1, self.deps.metrics.clone(), CancellationToken::new());
        Some(hands.take(claim, Instant::now() + LONG))
    }

    /// Claims an order, works on it and writes the verdict.
    pub(super) async fn work(&self, grace: Duration) -> Order {
        let held = self.claim().await;
        self.work_on(&held, grace).await
    }

    /// Works on a claimed order and writes the verdict.
    pub(super) async fn work_on(&self, held: &Arc<Held>, grace: Duration) -> Order {
        let ended = self.engine(grace).work(held).await;
        self.finish(held, verdict(ended)).await
    }

    pub(super) async fn finish(&self, held: &Held, verdict: Verdict) -> Order {
        self.deps.queue.finish(held.fence(), verdict, self.clock.now()).await.unwrap()
    }

    pub(super) async fn task(&self, id: TaskId) -> Task {
        tasks::get(&self.deps.store, id).await.unwrap()
    }

    pub(super) async fn steps(&self, id: TaskId) -> Vec<Step> {
        steps::of_task(&self.deps.store, id).await.unwrap()
    }

    /// `name status` of every step, in order.
    pub(super) async fn step_lines(&self, id: TaskId) -> Vec<String> {
        self.steps(id).await.iter().map(|step| format!("{} {}", step.name, step.status)).collect()
    }

    /// Waits until `look` sees something, woken by the event log.
    pub(super) async fn until<T, R>(&self, what: &str, look: impl Fn() -> R) -> T
    where
        R: Future<Output = Option<T>>,
    {
        soon(what, async {
            loop {
                let mut ear = self.deps.store.events_bell().ear();
                if let Some(found) = look().await {
                    return found;
                }
                ear.heard().await;
            }
        })
        .await
    }

    /// The task's open question, once there is one.
    pub(super) async fn question(&self, task: TaskId) -> Question {
        self.until("a question", || async { self.open_questions(task).await.pop() }).await
    }

    pub(super) async fn open_questions(&self, task: TaskId) -> Vec<Question> {
        let status = vec![shopfloor_domain::question::QuestionStatus::Open];
        let filter = QuestionFilter { status, task_id: Some(task), kind: None };
        questions::list(&self.deps.store, &filter, &shopfloor_store::PageRequest::default()).await.unwrap().items
    }

    pub(super) async fn answer(&self, question: &Question, answer: Value) {
        let answered =
            questions::answer(&self.deps.store, question.id, answer, "user:ada", self.clock.now()).await.unwrap();
        assert!(answered.won);
        let resumed: Vec<_> = answered.resumed.into_iter().collect();
        self.deps.queue.publish(&resumed, self.clock.now()).await.unwrap();
    }

    pub(super) async fn order(&self, task: TaskId) -> Order {
        tasks::newest_order(&self.deps.store, task).await.unwrap()
    }
}
