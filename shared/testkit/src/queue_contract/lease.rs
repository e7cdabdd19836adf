//! Leases: renewed in batches, lost by silence, taken back by rescue.

use std::time::Duration;

use shopfloor_domain::{Epoch, Fence, OrderId, order::OrderStatus, task::TaskStatus, time::millis};
use shopfloor_store::{
    StoreError,
    orders::{ClaimRequest, ClaimedOrder, Renewed, Verdict},
    tasks::{self, Cancelled},
};

use super::{
    Bench,
    bench::{LEASE, POLICY, completed, stranger},
};
use crate::new_task;

const JUST_OVER: Duration = Duration::from_millis(LEASE.as_millis() as u64 + 1);

async fn renew(bench: &Bench, worker: &ClaimRequest, held: &[Fence]) -> Vec<Renewed> {
    bench.queue.renew(worker.worker_id, held, LEASE, bench.now()).await.expect("renewing")
}

async fn claim_three(bench: &Bench, worker: &ClaimRequest) -> Vec<ClaimedOrder> {
    for _ in 0..3 {
        bench.submit_one().await;
    }
    bench.claim(&ClaimRequest { limit: 3, ..worker.clone() }).await
}

/// One call renews all; held, lost, unknown and to-be-cancelled orders are told apart, in the order asked.
pub async fn renewal_is_answered_in_order(bench: &Bench) {
    let worker = bench.worker().await;
    assert!(renew(bench, &worker, &[]).await.is_empty());
    let claimed = claim_three(bench, &worker).await;
    bench.complete(claimed[0].fence()).await;
    tasks::cancel(&bench.store, claimed[1].order.task_id, "someone", bench.now()).await.expect("cancelling");
    let stale = Fence { epoch: Epoch(claimed[2].order.epoch.0 + 1), ..claimed[2].fence() };
    let unknown = Fence { order_id: OrderId::new(), epoch: Epoch(1) };
    let held = [claimed[0].fence(), claimed[1].fence(), unknown, claimed[2].fence(), stale];
    let renewed = renew(bench, &worker, &held).await;
    let expected = [Renewed::Lost, Renewed::CancelRequested, Renewed::Lost, Renewed::Held, Renewed::Lost];
    assert_eq!(renewed, expected);
}

/// A renewed lease lasts from the renewal on.
pub async fn renewal_keeps_a_lease_alive(bench: &Bench) {
    let worker = bench.worker().await;
    bench.submit_one().await;
    let claimed = bench.claim_one(&worker).await;
    for _ in 0..3 {
        bench.clock.advance(LEASE - Duration::from_millis(1));
        assert_eq!(renew(bench, &worker, &[claimed.fence()]).await, [Renewed::Held]);
        assert!(bench.rescue().await.is_empty());
    }
    assert_eq!(bench.order(claimed.order.id).await.lease_expires_at, Some(bench.now() + LEASE));
}

/// Another worker cannot renew with a fence it has seen.
pub async fn a_stranger_cannot_renew(bench: &Bench) {
    let (worker, other) = (bench.worker().await, bench.worker().await);
    bench.submit_one().await;
    let claimed = bench.claim_one(&worker).await;
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(renew(bench, &other, &[claimed.fence()]).await, [Renewed::Lost]);
    let unknown = ClaimRequest { worker_id: stranger(), ..other };
    assert_eq!(renew(bench, &unknown, &[claimed.fence()]).await, [Renewed::Lost]);
    assert_eq!(bench.order(claimed.order.id).await.lease_expires_at, claimed.order.lease_expires_at);
}

/// A silent worker loses its order; what it says afterwards changes nothing.
pub async fn an_expired_lease_is_rescued_and_its_holder_is_a_ghost(bench: &Bench) {
    let (worker, next) = (bench.worker().await, bench.worker().await);
    let order = bench.submit_one().await;
    let lost = bench.claim_one(&worker).await;
    bench.clock.advance(LEASE - Duration::from_millis(1));
    assert!(bench.rescue().await.is_empty());
    bench.clock.advance(Duration::from_millis(2));
    let rescued = bench.rescue().await;
    assert_eq!(
        rescued.iter().map(|r| (r.order.id, r.order.status)).collect::<Vec<_>>(),
        [(order, OrderStatus::Queued)]
    );
    let recorded = bench.order(order).await;
    assert_eq!(rescued[0].order, recorded);
    assert_eq!((recorded.kills, recorded.attempt, recorded.lease_expires_at), (1, 1, None));
    assert_eq!(renew(bench, &worker, &[lost.fence()]).await, [Renewed::Lost]);
    let late = bench.queue.finish(lost.fence(), completed(), bench.now()).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");

    bench.clock.advance(Duration::from_secs(60));
    let again = bench.claim_one(&next).await;
    assert_eq!((again.order.id, again.order.epoch, again.order.attempt), (order, Epoch(2), 2));
    let late = bench.queue.finish(lost.fence(), completed(), bench.now()).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    bench.complete(again.fence()).await;
}

/// A lease that ran out without anybody noticing still belongs to its worker.
pub async fn a_late_worker_that_was_not_rescued_may_finish(bench: &Bench) {
    let worker = bench.worker().await;
    let claimed = claim_three(bench, &worker).await;
    bench.clock.advance(LEASE * 2);
    assert_eq!(renew(bench, &worker, &[claimed[0].fence()]).await, [Renewed::Held]);
    assert_eq!(bench.complete(claimed[1].fence()).await.status, OrderStatus::Completed);
    assert_eq!(bench.rescue().await.iter().map(|r| r.order.id).collect::<Vec<_>>(), [claimed[2].order.id]);
}

/// A rescue takes back what it was asked for at most, and what waits longest first.
pub async fn rescue_keeps_to_its_limit(bench: &Bench) {
    let worker = bench.worker().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bench.submit_one().await);
        bench.claim_one(&worker).await;
        bench.clock.advance(Duration::from_millis(10));
    }
    bench.clock.advance(LEASE * 2);
    let mut rescued = Vec::new();
    for expected in [2, 2, 1, 0] {
        let pass = bench.queue.rescue(&POLICY, 0.0, 2, bench.now()).await.expect("rescuing");
        assert_eq!(pass.len(), expected);
        rescued.extend(pass.into_iter().map(|r| r.order.id));
    }
    assert_eq!(rescued, ids);
}

/// An order that costs as many workers as the policy allows is dead, and its task has failed with a reason.
pub async fn a_poison_order_dies(bench: &Bench) {
    let worker = bench.worker().await;
    let submitted = bench.submit(shopfloor_store::tasks::NewTask { max_attempts: 100, ..new_task("poison") }).await;
    for kill in 1..=POLICY.max_kills {
        let claimed = bench.claim_one(&worker).await;
        assert_eq!(claimed.order.kills, kill - 1);
        bench.clock.advance(JUST_OVER);
        let rescued = bench.queue.rescue(&POLICY, 1.0, 100, bench.now()).await.expect("rescuing");
        assert_eq!(rescued.len(), 1);
        let order = &rescued[0].order;
        assert_eq!(order.kills, kill);
        let wait = order.run_at.since(bench.now());
        assert!(wait <= POLICY.max, "a rescued order waits {wait:?}");
        bench.clock.advance(POLICY.max);
    }
    let order = bench.order(submitted.order_id).await;
    assert_eq!((order.status, order.completed_at.is_some()), (OrderStatus::Dead, true));
    let task = tasks::get(&bench.store, submitted.task.id).await.expect("the task");
    assert_eq!(task.status, TaskStatus::Failed);
    assert!(order.error.is_some_and(|error| !error.is_empty()));
    assert!(bench.claim(&worker).await.is_empty());
}

/// An order that was to be cancelled when its worker died is cancelled, not run again.
pub async fn rescue_confirms_a_cancellation(bench: &Bench) {
    let worker = bench.worker().await;
    let submitted = bench.submit(new_task("unwanted")).await;
    bench.claim_one(&worker).await;
    let asked = tasks::cancel(&bench.store, submitted.task.id, "someone", bench.now()).await.expect("cancelling");
    assert!(matches!(asked, Cancelled::Requested(_)), "{asked:?}");
    bench.clock.advance(JUST_OVER);
    let rescued = bench.rescue().await;
    assert_eq!(rescued.iter().map(|r| r.order.status).collect::<Vec<_>>(), [OrderStatus::Cancelled]);
    let task = tasks::get(&bench.store, submitted.task.id).await.expect("the task");
    assert_eq!(task.status, TaskStatus::Cancelled);
}

/// Two rescuers at the same moment take each order back once.
pub async fn rescuing_twice_is_harmless(bench: &Bench) {
    let worker = bench.worker().await;
    let claimed = claim_three(bench, &worker).await;
    bench.clock.advance(JUST_OVER);
    let (one, two) = tokio::join!(bench.rescue(), bench.rescue());
    assert_eq!(one.len() + two.len(), claimed.len());
    for claim in &claimed {
        let order = bench.order(claim.order.id).await;
        assert_eq!((order.status, order.kills), (OrderStatus::Queued, 1));
        assert!(order.run_at.0 <= bench.now().0 + millis(POLICY.max));
    }
    // Handing back what is no longer held is refused like any other late word.
    let reason = shopfloor_domain::session::EndReason::Released;
    let late = bench.queue.finish(claimed[0].fence(), Verdict::Released { reason }, bench.now()).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
}

/// A worker that is lost takes the order's last attempt with it: what may be tried once never runs twice.
pub async fn a_lost_worker_costs_the_last_attempt(bench: &Bench) {
    let worker = bench.worker().await;
    for max_attempts in [1, 2] {
        let new = shopfloor_store::tasks::NewTask { max_attempts, ..new_task("fragile") };
        let submitted = bench.submit(new).await;
        for attempt in 1..=max_attempts {
            assert_eq!(bench.claim_one(&worker).await.order.attempt, attempt);
            bench.clock.advance(JUST_OVER);
            assert_eq!(bench.rescue().await.len(), 1);
            let status = if attempt < max_attempts { OrderStatus::Queued } else { OrderStatus::Dead };
            assert_eq!(bench.order(submitted.order_id).await.status, status, "attempt {attempt} of {max_attempts}");
            bench.clock.advance(POLICY.max);
        }
        assert!(bench.claim(&worker).await.is_empty());
        let error = bench.order(submitted.order_id).await.error.unwrap_or_default();
        assert!(error.contains("worker was lost"), "{error}");
    }
}
