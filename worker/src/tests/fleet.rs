//! Whole workers.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;
use shopfloor_domain::{
    Clock, TaskId, execution::ExecutionStatus, lease::LeasePolicy, order::OrderStatus, sandbox::Ending,
    task::TaskStatus, worker::WorkerStatus,
};
use shopfloor_sandbox::{
    Command, Job, Outcome, SandboxError,
    fake::{FakeSandbox, ended},
};
use shopfloor_store::{PageRequest, executions, tasks, workers, workers::Worker};
use shopfloor_testkit::{TestStore, soon};
use tokio::{
    sync::{Barrier, Notify, Semaphore},
    task::JoinSet,
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::bench::{Bench, LONG, asks, clean_report, prints, sandbox, task};
use super::flaky::Flaky;
use crate::{Settings, heartbeat::beat, held::Hands, run};

/// A sandbox whose tools find nothing and whose code is a future.
fn slow<F>(code: impl Fn(Job) -> F + Send + Sync + 'static) -> FakeSandbox
where
    F: Future<Output = Result<Outcome, SandboxError>> + Send + 'static,
{
    FakeSandbox::with(move |job, _| -> BoxFuture<'static, _> {
        match &job.command {
            Command::Tool { name, .. } => std::future::ready(Ok(clean_report(name))).boxed(),
            Command::Python { .. } => code(job).boxed(),
        }
    })
}

/// Code that never ends by itself, and says when it has begun.
fn endless() -> (FakeSandbox, Arc<Notify>) {
    let begun = Arc::new(Notify::new());
    let tell = Arc::clone(&begun);
    let fake = slow(move |_| {
        tell.notify_one();
        std::future::pending()
    });
    (fake, begun)
}

struct Fleet {
    stop: CancellationToken,
    workers: JoinSet<()>,
}

impl Fleet {
    fn start(bench: &Bench, settings: &[Settings]) -> Self {
        let stop = CancellationToken::new();
        let mut workers = JoinSet::new();
        for settings in settings.iter().cloned() {
            let (deps, stop) = (bench.deps.clone(), stop.clone());
            workers.spawn(async move { run(settings, deps, stop).await.unwrap() });
        }
        Self { stop, workers }
    }

    async fn stop(self) {
        self.stop.cancel();
        soon("the workers to stop", self.workers.join_all()).await;
    }
}

fn named(name: &str) -> Settings {
    Settings { name: name.to_owned(), ..Bench::settings() }
}

async fn submit(bench: &Bench) -> TaskId {
    bench.submit(task("run-code", json!({ "code": "1" }))).await.task.id
}

async fn ends(bench: &Bench, id: TaskId, status: TaskStatus) {
    bench.until("the task's end", || async { (bench.task(id).await.status == status).then_some(()) }).await;
}

async fn all_workers(bench: &Bench) -> Vec<Worker> {
    workers::list(&bench.deps.store, true, &PageRequest::default()).await.unwrap().items
}

pub(super) async fn three_tasks_run_on_three_workers(store: &TestStore) {
    // Nobody passes before all three are there: one worker cannot do two of them one after the other.
    let barrier = Arc::new(Barrier::new(3));
    let fake = slow(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Ok(prints("done"))
        }
    });
    let bench = Bench::new(store, fake);
    let fleet = Fleet::start(&bench, &["a", "b", "c"].map(named));
    let mut used = BTreeSet::new();
    let tasks = [submit(&bench).await, submit(&bench).await, submit(&bench).await];
    for id in tasks {
        ends(&bench, id, TaskStatus::Completed).await;
        used.insert(executions::of_task(store, id).await.unwrap()[0].worker_id);
    }
    assert_eq!(used.len(), 3);
    fleet.stop().await;
    assert!(all_workers(&bench).await.iter().all(|worker| worker.status == WorkerStatus::Offline));
}

pub(super) async fn a_worker_never_holds_more_than_its_slots(store: &TestStore) {
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicU32::new(0));
    let most = Arc::new(AtomicU32::new(0));
    let begun = Arc::new(Notify::new());
    let fake = {
        let (gate, running, most, begun) = (gate.clone(), running.clone(), most.clone(), begun.clone());
        slow(move |_| {
            let (gate, running, most, begun) = (gate.clone(), running.clone(), most.clone(), begun.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                begun.notify_one();
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(ended(Ending::Ok))
            }
        })
    };
    let bench = Bench::new(store, fake);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(submit(&bench).await);
    }
    let fleet = Fleet::start(&bench, &[Settings { slots: 2, ..Bench::settings() }]);
    soon("two runs", async {
        while running.load(Ordering::SeqCst) < 2 {
            begun.notified().await;
        }
    })
    .await;
    let claimed = tasks::count_orders(store).await.unwrap();
    let of = |status| claimed.iter().find(|(s, _)| *s == status).map_or(0, |(_, count)| *count);
    assert_eq!((of(OrderStatus::Claimed), of(OrderStatus::Queued)), (2, 3), "what is not worked on is not claimed");
    gate.add_permits(5);
    for id in ids {
        ends(&bench, id, TaskStatus::Completed).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    fleet.stop().await;
}

pub(super) async fn a_running_order_is_cancelled_and_confirmed(store: &TestStore) {
    let (fake, begun) = endless();
    let bench = Bench::new(store, fake);
    let fleet = Fleet::start(&bench, &[named("a")]);
    let id = submit(&bench).await;
    soon("the run", begun.notified()).await;
    let cancelled = tasks::cancel(store, id, "user:ada", bench.clock.now()).await.unwrap();
    assert!(matches!(cancelled, tasks::Cancelled::Requested(_)), "{cancelled:?}");
    ends(&bench, id, TaskStatus::Cancelled).await;
    assert_eq!(bench.order(id).await.status, OrderStatus::Cancelled);
    assert_eq!(bench.step_lines(id).await, ["check completed", "run cancelled"]);
    fleet.stop().await;
}

pub(super) async fn a_panic_is_a_failed_attempt(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| panic!("out of luck")));
    let fleet = Fleet::start(&bench, &[named("a")]);
    let id = submit(&bench).await;
    let order = bench
        .until("the attempt's end", || async {
            let order = bench.order(id).await;
            order.error.is_some().then_some(order)
        })
        .await;
    assert_eq!((order.status, order.attempt), (OrderStatus::Queued, 1));
    assert!(order.error.unwrap().contains("out of luck"));
    assert_eq!(executions::of_task(store, id).await.unwrap()[0].status, ExecutionStatus::Failed);
    fleet.stop().await;
}

pub(super) async fn what_the_drain_leaves_is_handed_back_unharmed(store: &TestStore) {
    let (fake, begun) = endless();
    let bench = Bench::new(store, fake);
    let fleet = Fleet::start(&bench, &[Settings { drain: Duration::ZERO, ..Bench::settings() }]);
    let id = submit(&bench).await;
    soon("the run", begun.notified()).await;
    fleet.stop().await;
    let order = bench.order(id).await;
    assert_eq!((order.status, order.attempt, order.kills), (OrderStatus::Queued, 0, 0));
    let well = bench.with(sandbox(|_| Ok(prints("done"))));
    assert_eq!(well.work(LONG).await.status, OrderStatus::Completed);
    assert_eq!(bench.steps(id).await[0].attempt, 1, "the critic's step is not done again");
}

pub(super) async fn what_finishes_in_the_drain_is_recorded(store: &TestStore) {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let fake = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        slow(move |_| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok(prints("done"))
            }
        })
    };
    let bench = Bench::new(store, fake);
    let fleet = Fleet::start(&bench, &[Settings { drain: LONG, ..Bench::settings() }]);
    let id = submit(&bench).await;
    soon("the run", begun.notified()).await;
    fleet.stop.cancel();
    let second = submit(&bench).await;
    go_on.notify_one();
    fleet.stop().await;
    assert_eq!(bench.task(id).await.status, TaskStatus::Completed);
    assert_eq!(bench.order(second).await.status, OrderStatus::Queued, "nothing is claimed after the stop");
}

pub(super) async fn a_removed_worker_drains(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(prints("done"))));
    let settings = Settings {
        lease: LeasePolicy { worker_offline_after: Duration::from_millis(600), ..Bench::settings().lease },
        ..Bench::settings()
    };
    let mut fleet = Fleet::start(&bench, &[settings]);
    let worker = bench.until("the worker", || async { all_workers(&bench).await.pop() }).await;
    workers::remove(store, worker.id, bench.clock.now()).await.unwrap();
    soon("the worker to leave", fleet.workers.join_next()).await;
    assert_eq!(workers::get(store, worker.id).await.unwrap().status, WorkerStatus::Offline);
}

pub(super) async fn a_worker_that_waits_for_a_person_says_so(store: &TestStore) {
    let fake = sandbox(|job| Ok(if job.answers.is_empty() { asks("which?") } else { prints("done") }));
    let bench = Bench::new(store, fake);
    let fleet = Fleet::start(&bench, &[Settings { grace: LONG, ..Bench::settings() }]);
    let id = submit(&bench).await;
    let status = |wanted| {
        let bench = &bench;
        async move {
            let told = || async { (all_workers(bench).await[0].status == wanted).then_some(()) };
            bench.until("a change of status", told).await;
        }
    };
    let question = bench.question(id).await;
    status(WorkerStatus::Waiting).await;
    bench.answer(&question, json!("a")).await;
    ends(&bench, id, TaskStatus::Completed).await;
    status(WorkerStatus::Idle).await;
    fleet.stop().await;
}

pub(super) async fn what_waits_for_a_person_is_parked_by_the_drain(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(asks("which?"))));
    let fleet = Fleet::start(&bench, &[Settings { grace: LONG, drain: LONG, ..Bench::settings() }]);
    let id = submit(&bench).await;
    bench.question(id).await;
    fleet.stop().await;
    assert_eq!(bench.order(id).await.status, OrderStatus::Parked);
}

pub(super) async fn a_hiccup_of_the_record_costs_time_only(store: &TestStore) {
    let mut bench = Bench::new(store, sandbox(|_| Ok(prints("done"))));
    let flaky = Flaky::new(Arc::clone(&bench.deps.queue), 3);
    bench.deps.queue = Arc::clone(&flaky) as _;
    let fleet = Fleet::start(&bench, &[named("a")]);
    let id = submit(&bench).await;
    ends(&bench, id, TaskStatus::Completed).await;
    fleet.stop().await;
    assert!(flaky.failures_left() == 0, "every call that was to fail has failed");
    assert_eq!(bench.order(id).await.attempt, 1);
    assert!(bench.steps(id).await.iter().all(|step| step.attempt == 1));
}

pub(super) async fn a_forgotten_worker_registers_again(store: &TestStore) {
    let bench = Bench::new(store, sandbox(|_| Ok(prints("done"))));
    let me = shopfloor_testkit::worker();
    let hands = Hands::new(1, bench.deps.metrics.clone(), CancellationToken::new());
    let lease = LeasePolicy { worker_offline_after: Duration::from_millis(600), ..LeasePolicy::default() };
    let beats = beat(bench.deps.clone(), me.clone(), lease, hands, CancellationToken::new());
    let _beats = AbortOnDropHandle::new(tokio::spawn(beats));
    let there = || async { (!all_workers(&bench).await.is_empty()).then_some(()) };
    bench.until("the worker in the record", there).await;
    assert_eq!(all_workers(&bench).await[0].id, me.id);
}
