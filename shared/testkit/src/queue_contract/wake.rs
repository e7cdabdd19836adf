//! Wake-up: no worker sleeps while there is work for it.

use std::time::Duration;

use shopfloor_domain::{Name, session::EndReason};
use shopfloor_store::{
    orders::{ClaimRequest, ClaimedOrder, Verdict},
    tasks::NewTask,
};
use tokio::task::JoinHandle;

use super::Bench;
use crate::{name, new_task, soon};

/// So long that only a wake-up ends a wait within a test's patience.
const LONG: Duration = Duration::from_secs(100);

/// A worker's loop until it has an order: look, wait, look again.
fn hunt(bench: &Bench, request: &ClaimRequest) -> JoinHandle<ClaimedOrder> {
    let (bench, request) = (bench.clone(), request.clone());
    tokio::spawn(async move {
        loop {
            if let Some(claimed) = bench.claim(&request).await.pop() {
                return claimed;
            }
            bench.queue.wait(&request, LONG).await;
        }
    })
}

/// Lets the hunters look and fall asleep; that they have is likely, not needed.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// A published order wakes a worker, again and again.
pub async fn publishing_wakes_a_waiting_worker(bench: &Bench) {
    let worker = bench.worker().await;
    for _ in 0..20 {
        let hunter = hunt(bench, &worker);
        settle().await;
        let order = bench.submit_one().await;
        let claimed = soon("the published order", hunter).await.expect("the hunter");
        assert_eq!(claimed.order.id, order);
    }
}

/// An order that comes after the look and before the wait is heard: the worker arms before it looks.
pub async fn a_wake_up_between_look_and_wait_is_not_lost(bench: &Bench) {
    let worker = bench.worker().await;
    for _ in 0..20 {
        assert!(bench.claim(&worker).await.is_empty());
        let order = bench.submit_one().await;
        soon("the wake-up", bench.queue.wait(&worker, LONG)).await;
        assert_eq!(bench.claim_one(&worker).await.order.id, order);
    }
}

/// Resuming a queue wakes the workers that passed it by.
pub async fn resuming_wakes(bench: &Bench) {
    let (worker, red) = (bench.worker().await, name("red"));
    bench.submit(NewTask { queue: red.clone(), ..new_task("paused") }).await;
    bench.queue.pause(&red, "someone", bench.now()).await.expect("pausing");
    let hunter = hunt(bench, &worker);
    settle().await;
    bench.queue.resume(&red, "someone", bench.now()).await.expect("resuming");
    soon("the resumed order", hunter).await.expect("the hunter");
}

/// A worker wakes when a delayed order is due, also one that was submitted while it slept.
pub async fn a_due_order_wakes(bench: &Bench) {
    let (worker, delay) = (bench.worker().await, Duration::from_millis(200));
    let delayed = NewTask { run_at: Some(bench.now() + delay), ..new_task("later") };
    for submitted_first in [true, false] {
        let new = NewTask { run_at: Some(bench.now() + delay), ..delayed.clone() };
        if submitted_first {
            bench.submit(new.clone()).await;
        }
        assert!(bench.claim(&worker).await.is_empty());
        if !submitted_first {
            bench.submit(new).await;
            // The wake-up for the submission itself: nothing is due yet.
            soon("the submission", bench.queue.wait(&worker, LONG)).await;
            assert!(bench.claim(&worker).await.is_empty());
        }
        soon("the due time", bench.queue.wait(&worker, LONG)).await;
        bench.clock.advance(delay);
        let claimed = bench.claim_one(&worker).await;
        bench.complete(claimed.fence()).await;
    }
}

/// An order that one worker hands back wakes the others.
pub async fn handing_back_wakes(bench: &Bench) {
    let (holder, other) = (bench.worker().await, bench.worker().await);
    let order = bench.submit_one().await;
    let held = bench.claim_one(&holder).await;
    let hunter = hunt(bench, &other);
    settle().await;
    bench.finish(held.fence(), Verdict::Released { reason: EndReason::Released }).await;
    let claimed = soon("the released order", hunter).await.expect("the hunter");
    assert_eq!(claimed.order.id, order);
}

/// The end of an order of a full project wakes those that wait for its place.
pub async fn a_free_place_in_a_project_wakes(bench: &Bench) {
    bench.project(&Name::DEFAULT, Some(1)).await;
    let (holder, other) = (bench.worker().await, bench.worker().await);
    bench.submit_one().await;
    let next = bench.submit_one().await;
    let held = bench.claim_one(&holder).await;
    let hunter = hunt(bench, &other);
    settle().await;
    bench.complete(held.fence()).await;
    let claimed = soon("the free place", hunter).await.expect("the hunter");
    assert_eq!(claimed.order.id, next);
}

/// A worker with nothing to do sleeps rather than look all the time, and wakes at its timeout.
pub async fn an_idle_worker_waits(bench: &Bench) {
    let worker = bench.worker().await;
    let begin = tokio::time::Instant::now();
    for _ in 0..10 {
        assert!(bench.claim(&worker).await.is_empty());
        soon("the timeout", bench.queue.wait(&worker, Duration::from_millis(50))).await;
    }
    // A wait may end early now and then, not as a rule.
    assert!(begin.elapsed() >= Duration::from_millis(250), "ten waits took {:?}", begin.elapsed());
}

/// A wait that is dropped half-way loses nothing.
pub async fn waiting_can_be_cancelled(bench: &Bench) {
    let worker = bench.worker().await;
    for _ in 0..5 {
        assert!(bench.claim(&worker).await.is_empty());
        // Cut short, or ended early by the echo of an earlier change: both are fine.
        let _ = tokio::time::timeout(Duration::from_millis(5), bench.queue.wait(&worker, LONG)).await;
        let order = bench.submit_one().await;
        soon("the wake-up", bench.queue.wait(&worker, LONG)).await;
        assert_eq!(bench.claim_one(&worker).await.order.id, order);
    }
}

/// Promotion tells when to come again, and wakes workers for what has come due.
pub async fn promoting_tells_the_next_due_time(bench: &Bench) {
    let worker = bench.worker().await;
    assert_eq!(bench.queue.promote(bench.now()).await.expect("promoting"), None);
    let (soon_due, late) = (bench.now() + Duration::from_secs(3600), bench.now() + Duration::from_secs(7200));
    for run_at in [late, soon_due] {
        bench.submit(NewTask { run_at: Some(run_at), ..new_task("later") }).await;
    }
    assert_eq!(bench.queue.promote(bench.now()).await.expect("promoting"), Some(soon_due));
    let hunter = hunt(bench, &worker);
    settle().await;
    bench.clock.set(soon_due);
    assert_eq!(bench.queue.promote(bench.now()).await.expect("promoting"), Some(late));
    soon("the promoted order", hunter).await.expect("the hunter");
}
