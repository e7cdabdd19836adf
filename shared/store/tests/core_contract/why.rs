//! Why is it not running?

use std::time::Duration;

use shopfloor_domain::{
    Name, TaskId,
    why::{Reason, why},
};
use shopfloor_store::{
    StoreError,
    orders::{self, Verdict},
    projects::{self, Limits},
    queues, tasks,
    tasks::NewTask,
    workers::{self, NewWorker},
};
use shopfloor_testkit::{T0, TestStore, capabilities, new_task, worker};

use super::common::{LEASE, ready_worker, submit};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn every_reason_has_its_facts(store: &TestStore) {
    let reason = async |task| why(&shopfloor_store::why::facts(store, task, T0).await.expect("the facts"), T0);
    let task = submit(store, new_task("first")).await.task.id;
    assert_eq!(reason(task).await, Reason::NoWorkers);
    let gpu = NewTask { needs: capabilities("gpu"), ..new_task("needy") };
    let needy = submit(store, gpu.clone()).await.task.id;
    let request = ready_worker(store).await;
    assert_eq!(reason(needy).await, Reason::NoAbleWorker { needs: gpu.needs });
    assert_eq!(reason(task).await, Reason::AboutToRun { ahead: 0 });
    let second = submit(store, new_task("second")).await.task.id;
    assert_eq!(reason(second).await, Reason::AboutToRun { ahead: 2 });

    let later = T0 + SECOND * 60;
    let delayed = submit(store, NewTask { run_at: Some(later), ..new_task("later") }).await.task.id;
    assert_eq!(reason(delayed).await, Reason::Delayed { until: later });
    queues::pause(store, &Name::DEFAULT, "someone", T0).await.expect("pausing");
    assert_eq!(reason(task).await, Reason::QueuePaused { queue: Name::DEFAULT });
    queues::resume(store, &Name::DEFAULT, "someone", T0).await.expect("resuming");

    let claim = orders::ClaimRequest { limit: 4, lease: LEASE, ..request.clone() };
    let held = orders::claim(store, &claim, T0).await.expect("claiming");
    assert_eq!(held.len(), 2);
    assert_eq!(reason(task).await, Reason::Running { worker: Some(request.worker_id) });
    let third = submit(store, new_task("third")).await.task.id;
    projects::put(store, &Name::DEFAULT, Limits::concurrency(Some(2)), T0).await.expect("limiting");
    assert_eq!(reason(third).await, Reason::ProjectLimit { limit: 2, running: 2 });
    projects::put(store, &Name::DEFAULT, Limits::default(), T0).await.expect("freeing");
    let full = NewWorker { id: request.worker_id, slots: 2, ..worker() };
    workers::register(store, full, T0).await.expect("shrinking the worker");
    assert_eq!(reason(third).await, Reason::WorkersBusy { ahead: 1 });

    tasks::cancel(store, task, "someone", T0).await.expect("cancelling");
    assert_eq!(reason(task).await, Reason::Cancelling);
    let retry = Verdict::Retry { error: "it went wrong".to_owned(), after: SECOND };
    let other = held.iter().find(|held| held.order.task_id == second).expect("the second").fence();
    orders::finish(store, other, retry, T0).await.expect("finishing");
    assert_eq!(reason(second).await, Reason::BackingOff { until: T0 + SECOND, attempt: 1 });
    let unknown = shopfloor_store::why::facts(store, TaskId::new(), T0).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "task", .. })), "{unknown:?}");
}
