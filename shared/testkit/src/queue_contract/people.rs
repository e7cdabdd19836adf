//! People in the way: cancelling, asking, parking, answering.

use serde_json::json;
use shopfloor_domain::{
    Name,
    execution::ExecutionStatus,
    order::OrderStatus,
    question::QuestionStatus,
    session::{EndReason, SessionStatus},
    task::TaskStatus,
};
use shopfloor_store::{
    StoreError, executions,
    orders::{ClaimRequest, ClaimedOrder, Renewed, Verdict},
    questions::{self, Question},
    sessions,
    tasks::{self, Cancelled, NewTask},
};

use super::{Bench, bench::LEASE};
use crate::new_task;

async fn cancel(bench: &Bench, claimed: &ClaimedOrder) -> Cancelled {
    tasks::cancel(&bench.store, claimed.order.task_id, "someone", bench.now()).await.expect("cancelling")
}

async fn parked(bench: &Bench) -> (ClaimRequest, ClaimedOrder, Question) {
    let worker = bench.worker().await;
    bench.submit(NewTask { max_attempts: 1, ..new_task("asks") }).await;
    let claimed = bench.claim_one(&worker).await;
    let question = bench.ask(claimed.fence(), claimed.order.run_id, 0).await;
    let order = bench.finish(claimed.fence(), Verdict::Parked).await;
    assert_eq!((order.status, order.parked_at), (OrderStatus::Parked, Some(bench.now())));
    (worker, claimed, question)
}

/// A waiting order is cancelled on the spot and never handed out.
pub async fn a_waiting_order_is_cancelled_at_once(bench: &Bench) {
    let worker = bench.worker().await;
    let submitted = bench.submit(new_task("unwanted")).await;
    let done = tasks::cancel(&bench.store, submitted.task.id, "someone", bench.now()).await.expect("cancelling");
    bench.queue.withdraw(&[submitted.order_id]).await.expect("withdrawing");
    assert!(matches!(&done, Cancelled::Now(task) if task.status == TaskStatus::Cancelled), "{done:?}");
    assert_eq!(bench.status(submitted.order_id).await, OrderStatus::Cancelled);
    assert!(bench.claim(&worker).await.is_empty());
    let twice = tasks::cancel(&bench.store, submitted.task.id, "someone", bench.now()).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
}

/// A worker learns of a cancellation by its renewal; the task is cancelled when it says so.
pub async fn a_claimed_order_is_cancelled_when_its_worker_confirms(bench: &Bench) {
    let worker = bench.worker().await;
    bench.submit_one().await;
    let claimed = bench.claim_one(&worker).await;
    for _ in 0..2 {
        let asked = cancel(bench, &claimed).await;
        assert!(matches!(&asked, Cancelled::Requested(task) if task.status == TaskStatus::InProgress), "{asked:?}");
    }
    let renewed = bench.queue.renew(worker.worker_id, &[claimed.fence()], LEASE, bench.now()).await.expect("renewing");
    assert_eq!(renewed, [Renewed::CancelRequested]);
    let order = bench.finish(claimed.fence(), Verdict::Cancelled).await;
    assert_eq!(order.status, OrderStatus::Cancelled);
    let task = tasks::get(&bench.store, order.task_id).await.expect("the task");
    assert_eq!(task.status, TaskStatus::Cancelled);
    assert!(bench.claim(&worker).await.is_empty());
}

/// A parked order holds no lease, no session and no place in its project, and cannot be claimed or rescued.
pub async fn a_parked_order_holds_nothing(bench: &Bench) {
    bench.project(&Name::DEFAULT, Some(1)).await;
    let (worker, claimed, _) = parked(bench).await;
    let order = bench.order(claimed.order.id).await;
    assert_eq!((order.lease_expires_at, order.attempt), (None, 0));
    let session = sessions::get(&bench.store, claimed.session_id).await.expect("the session");
    assert_eq!((session.status, session.end_reason), (SessionStatus::Terminated, Some(EndReason::Parked)));
    let executions = executions::of_task(&bench.store, order.task_id).await.expect("executions");
    assert_eq!(executions[0].status, ExecutionStatus::Parked);
    bench.clock.advance(LEASE * 10);
    assert!(bench.rescue().await.is_empty());
    assert!(bench.claim(&worker).await.is_empty());
    let other = bench.submit_one().await;
    assert_eq!(bench.drain(&worker).await, [other]);
}

/// The answer queues a parked order again; any worker goes on with it, on the same attempt.
pub async fn an_answer_puts_a_parked_order_back(bench: &Bench) {
    let (_, claimed, question) = parked(bench).await;
    bench.clock.advance(LEASE);
    let now = bench.now();
    let answered = questions::answer(&bench.store, question.id, json!("b"), "someone", now).await.expect("answering");
    assert!(answered.won);
    assert_eq!(answered.resumed, Some(claimed.order.id));
    bench.publish(answered.resumed.as_slice()).await;
    let late = questions::answer(&bench.store, question.id, json!("a"), "another", now).await.expect("answering");
    assert_eq!((late.won, late.resumed, late.question.answer), (false, None, Some(json!("b"))));
    let other = bench.worker().await;
    let again = bench.claim_one(&other).await;
    assert_eq!((again.order.id, again.order.attempt, again.order.parked_at), (claimed.order.id, 1, None));
    assert_eq!(again.order.epoch.0, 2);
    assert_eq!(again.order.score, claimed.order.score);
    bench.complete(again.fence()).await;
}

/// An answer that comes while the worker is about to park is kept: the order is queued again at once.
pub async fn an_answer_before_parking_is_not_lost(bench: &Bench) {
    let worker = bench.worker().await;
    bench.submit_one().await;
    let claimed = bench.claim_one(&worker).await;
    let question = bench.ask(claimed.fence(), claimed.order.run_id, 0).await;
    let now = bench.now();
    let answered = questions::answer(&bench.store, question.id, json!("a"), "someone", now).await.expect("answering");
    assert_eq!((answered.won, answered.resumed), (true, None));
    let order = bench.finish(claimed.fence(), Verdict::Parked).await;
    assert_eq!((order.status, order.parked_at, order.attempt), (OrderStatus::Queued, None, 0));
    assert_eq!(bench.claim_one(&worker).await.order.id, order.id);
}

/// Cancelling while a person is asked closes the question; a late answer changes nothing.
pub async fn cancelling_a_parked_order_closes_its_question(bench: &Bench) {
    let (worker, claimed, question) = parked(bench).await;
    assert!(matches!(cancel(bench, &claimed).await, Cancelled::Now(_)));
    let now = bench.now();
    let late = questions::answer(&bench.store, question.id, json!("a"), "someone", now).await.expect("answering");
    assert_eq!((late.won, late.resumed, late.question.status), (false, None, QuestionStatus::Cancelled));
    assert_eq!(bench.status(claimed.order.id).await, OrderStatus::Cancelled);
    assert!(bench.claim(&worker).await.is_empty());
}
