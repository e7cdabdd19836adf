//! How claims end: verdicts, attempts, backoff, dead letters, and the fence around them.

use std::time::Duration;

use serde_json::json;
use shopfloor_domain::{
    Epoch, Fence, OrderId,
    execution::ExecutionStatus,
    order::OrderStatus,
    session::{EndReason, SessionStatus},
    task::TaskStatus,
};
use shopfloor_store::{
    PageRequest, StoreError,
    events::{self, Cursor, EventFilter},
    executions,
    orders::{self, ClaimedOrder, Verdict},
    sessions,
    tasks::{self, NewTask, Task},
};

use super::{
    Bench,
    bench::{completed, retry},
};
use crate::new_task;

fn released() -> Verdict {
    Verdict::Released { reason: EndReason::Released }
}

async fn task_of(bench: &Bench, claimed: &ClaimedOrder) -> Task {
    tasks::get(&bench.store, claimed.order.task_id).await.expect("the task")
}

async fn claim_new(bench: &Bench, max_attempts: u32) -> (orders::ClaimRequest, ClaimedOrder) {
    let worker = bench.worker().await;
    bench.submit(NewTask { max_attempts, ..new_task("a task") }).await;
    let claimed = bench.claim_one(&worker).await;
    (worker, claimed)
}

/// How the execution and the session of a claim ended.
async fn ended(bench: &Bench, claimed: &ClaimedOrder) -> (ExecutionStatus, SessionStatus, Option<EndReason>) {
    let all = executions::of_task(&bench.store, claimed.order.task_id).await.expect("executions");
    let execution = all.into_iter().find(|e| e.id == claimed.execution_id()).expect("the claim's execution");
    let session = sessions::get(&bench.store, claimed.session_id).await.expect("the claim's session");
    assert!(execution.completed_at.is_some() && session.terminated_at.is_some());
    (execution.status, session.status, session.end_reason)
}

/// Completion reaches order, task, execution and session, and cannot be had twice.
pub async fn completed_is_final(bench: &Bench) {
    let (_, claimed) = claim_new(bench, 3).await;
    bench.clock.advance(Duration::from_secs(1));
    let order = bench.complete(claimed.fence()).await;
    assert_eq!((order.status, order.completed_at), (OrderStatus::Completed, Some(bench.now())));
    assert_eq!(order, bench.order(order.id).await);
    let task = task_of(bench, &claimed).await;
    assert_eq!((task.status, task.result), (TaskStatus::Completed, Some(json!({ "ok": true }))));
    let expected = (ExecutionStatus::Completed, SessionStatus::Terminated, Some(EndReason::Finished));
    assert_eq!(ended(bench, &claimed).await, expected);
    let twice = bench.queue.finish(claimed.fence(), completed(), bench.now()).await;
    assert!(matches!(twice, Err(StoreError::Fenced { .. })), "{twice:?}");
}

/// A failure is not tried again.
pub async fn failed_is_final(bench: &Bench) {
    let (worker, claimed) = claim_new(bench, 3).await;
    let verdict = Verdict::Failed { error: "no such column".to_owned(), result: Some(json!({ "exit_code": 1 })) };
    let order = bench.finish(claimed.fence(), verdict).await;
    assert_eq!((order.status, order.error.as_deref()), (OrderStatus::Failed, Some("no such column")));
    let task = task_of(bench, &claimed).await;
    assert_eq!((task.status, task.error.as_deref()), (TaskStatus::Failed, Some("no such column")));
    assert_eq!(task.result, Some(json!({ "exit_code": 1 })));
    assert_eq!(ended(bench, &claimed).await.0, ExecutionStatus::Failed);
    assert!(bench.claim(&worker).await.is_empty());
}

/// Each claim has a larger epoch than the one before, however that one ended.
pub async fn the_epoch_grows_with_every_claim(bench: &Bench) {
    let (worker, mut claimed) = claim_new(bench, 100).await;
    for (place, epoch) in (1..8).enumerate() {
        assert_eq!(claimed.order.epoch, Epoch(epoch));
        match place % 3 {
            0 => drop(bench.finish(claimed.fence(), retry(Duration::ZERO)).await),
            1 => drop(bench.finish(claimed.fence(), released()).await),
            _ => {
                bench.clock.advance(Duration::from_secs(3600));
                assert_eq!(bench.rescue().await.len(), 1);
            }
        }
        bench.clock.advance(Duration::from_secs(3600));
        claimed = bench.claim_one(&worker).await;
    }
}

/// A ghost's verdict is refused and leaves no trace: not in the order, the task, the execution or the log.
pub async fn a_stale_finish_writes_nothing(bench: &Bench) {
    let (worker, ghost) = claim_new(bench, 100).await;
    bench.finish(ghost.fence(), released()).await;
    let holder = bench.claim_one(&worker).await;
    let before = trace(bench, &holder).await;
    let future = Fence { epoch: Epoch(holder.order.epoch.0 + 1), ..holder.fence() };
    let unknown = Fence { order_id: OrderId::new(), epoch: Epoch(1) };
    let failed = Verdict::Failed { error: "ghost".to_owned(), result: None };
    for verdict in [completed(), failed, retry(Duration::ZERO), Verdict::Parked, released(), Verdict::Cancelled] {
        for fence in [ghost.fence(), future] {
            let refused = bench.queue.finish(fence, verdict.clone(), bench.now()).await;
            assert!(matches!(&refused, Err(StoreError::Fenced { fence: shown, .. }) if *shown == fence), "{refused:?}");
        }
        assert!(bench.queue.finish(unknown, verdict, bench.now()).await.is_err());
    }
    assert_eq!(trace(bench, &holder).await, before);
    bench.complete(holder.fence()).await;
}

/// All that a finish writes.
async fn trace(bench: &Bench, claimed: &ClaimedOrder) -> String {
    bench.store.settle().await;
    let log = events::read(&bench.store, Cursor::START, &EventFilter::default(), 500).await.expect("the log");
    let executions = executions::of_task(&bench.store, claimed.order.task_id).await.expect("executions");
    let session = sessions::get(&bench.store, claimed.session_id).await.expect("the session");
    let (task, order) = (task_of(bench, claimed).await, bench.order(claimed.order.id).await);
    format!("{log:?}\n{executions:?}\n{session:?}\n{task:?}\n{order:?}")
}

/// The attempt counts from the claim on, also when its worker never says anything.
pub async fn attempts_are_counted_in_the_claim(bench: &Bench) {
    let (worker, claimed) = claim_new(bench, 3).await;
    assert_eq!(bench.order(claimed.order.id).await.attempt, 1);
    bench.clock.advance(Duration::from_secs(3600));
    assert_eq!(bench.rescue().await[0].order.attempt, 1);
    bench.clock.advance(Duration::from_secs(3600));
    let again = bench.claim_one(&worker).await;
    assert_eq!((again.order.attempt, again.order.retry_count), (2, 1));
}

/// A failed attempt goes back to the queue for later, with its reason; the task goes on.
pub async fn a_retry_waits_for_its_backoff(bench: &Bench) {
    let (worker, claimed) = claim_new(bench, 3).await;
    let order = bench.finish(claimed.fence(), retry(Duration::from_secs(5))).await;
    assert_eq!((order.status, order.run_at), (OrderStatus::Queued, bench.now() + Duration::from_secs(5)));
    assert_eq!((order.attempt, order.error.as_deref()), (1, Some("it went wrong")));
    assert_eq!(order.score, claimed.order.score);
    assert_eq!(task_of(bench, &claimed).await.status, TaskStatus::InProgress);
    assert_eq!(ended(bench, &claimed).await.0, ExecutionStatus::Failed);
    bench.clock.advance(Duration::from_millis(4999));
    assert!(bench.claim(&worker).await.is_empty());
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.claim_one(&worker).await.order.attempt, 2);
}

/// A retry after the last attempt is a dead letter, and its task has failed.
pub async fn the_last_attempt_is_dead(bench: &Bench) {
    let (worker, first) = claim_new(bench, 2).await;
    bench.finish(first.fence(), retry(Duration::ZERO)).await;
    let last = bench.claim_one(&worker).await;
    let order = bench.finish(last.fence(), retry(Duration::ZERO)).await;
    assert_eq!((order.status, order.attempt), (OrderStatus::Dead, 2));
    let task = task_of(bench, &last).await;
    assert_eq!(task.status, TaskStatus::Failed);
    assert!(task.error.is_some_and(|error| error.contains("it went wrong")));
    assert!(bench.claim(&worker).await.is_empty());
    let dead = orders::dead(&bench.store, &PageRequest::default()).await.expect("dead letters");
    assert_eq!(dead.items.iter().map(|o| o.id).collect::<Vec<_>>(), [order.id]);
}

/// Handing an order back costs no attempt, however often, and it may be claimed again at once.
pub async fn a_release_burns_no_attempt(bench: &Bench) {
    let (worker, mut claimed) = claim_new(bench, 1).await;
    for _ in 0..4 {
        let order = bench.finish(claimed.fence(), released()).await;
        assert_eq!((order.status, order.attempt, order.kills), (OrderStatus::Queued, 0, 0));
        let expected = (ExecutionStatus::Released, SessionStatus::Terminated, Some(EndReason::Released));
        assert_eq!(ended(bench, &claimed).await, expected);
        claimed = bench.claim_one(&worker).await;
        assert_eq!((claimed.order.attempt, claimed.order.retry_count), (1, 0));
    }
    bench.complete(claimed.fence()).await;
}

/// A dead letter comes back as a new order of the same run, once.
pub async fn a_dead_order_is_requeued_once(bench: &Bench) {
    let (worker, claimed) = claim_new(bench, 1).await;
    bench.finish(claimed.fence(), retry(Duration::ZERO)).await;
    let input = Some(json!({ "code": "print(2)" }));
    let (id, now) = (claimed.order.id, bench.now());
    let new = orders::requeue_dead(&bench.store, id, input.clone(), "someone", now).await.expect("re-queuing");
    bench.publish(&[new.id]).await;
    assert_ne!(new.id, id);
    assert_eq!((new.run_id, new.task_id, new.attempt), (claimed.order.run_id, claimed.order.task_id, 0));
    assert_eq!(bench.order(id).await.requeued_as, Some(new.id));
    let twice = orders::requeue_dead(&bench.store, id, input, "someone", now).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
    let again = bench.claim_one(&worker).await;
    assert_eq!(again.order.id, new.id);
    bench.complete(again.fence()).await;
    assert_eq!(task_of(bench, &again).await.status, TaskStatus::Completed);
}
