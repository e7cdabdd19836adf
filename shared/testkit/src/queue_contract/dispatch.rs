//! Which order is handed out, and when.

use std::time::Duration;

use shopfloor_domain::{Priority, order::OrderStatus, priority::LARGEST_BOOST, task::TaskStatus};
use shopfloor_store::{
    StoreError, executions,
    orders::{ClaimRequest, QueueDepth},
    sessions,
    tasks::{self, NewTask, TaskPatch},
};

use super::{Bench, bench::LEASE};
use crate::{name, new_task};

/// More urgent orders go first, whatever the order of submission.
pub async fn the_lowest_score_goes_first(bench: &Bench) {
    let worker = bench.worker().await;
    let low = bench.submit_with(Priority::Low).await;
    let normal = bench.submit_with(Priority::Normal).await;
    let high = bench.submit_with(Priority::High).await;
    assert_eq!(bench.drain(&worker).await, [high, normal, low]);
}

/// Among equals the first one in is the first one out, whatever their queues and projects, in one claim or in many.
pub async fn equal_scores_go_in_the_order_of_submission(bench: &Bench) {
    let worker = bench.worker().await;
    for project in ["a", "b", "c"] {
        bench.project(&name(project), None).await;
    }
    let places = [("z", "b"), ("a", "b"), ("m", "a"), ("a", "c"), ("m", "b"), ("b", "a"), ("a", "a"), ("z", "a")];
    for limit in [1, 2, 100] {
        let mut ids = Vec::new();
        for (queue, project) in places.into_iter().chain(places) {
            let new = NewTask { queue: name(queue), project: name(project), ..new_task("one of many") };
            ids.push(bench.submit(new).await.order_id);
        }
        let mut claimed = Vec::new();
        for _ in 0..ids.len().div_ceil(limit) {
            let request = ClaimRequest { limit: u32::try_from(limit).expect("small"), ..worker.clone() };
            claimed.extend(bench.claim(&request).await.iter().map(|claimed| claimed.order.id));
        }
        assert_eq!(claimed, ids, "{limit} at a time");
    }
}

/// A head start is bounded: urgent orders that come later than it lasts go behind.
pub async fn aging_bounds_the_wait(bench: &Bench) {
    let worker = bench.worker().await;
    let low = bench.submit_with(Priority::Low).await;
    bench.clock.advance(LARGEST_BOOST - Duration::from_millis(1));
    let high = bench.submit_with(Priority::High).await;
    bench.clock.advance(Duration::from_millis(2));
    let late = bench.submit_with(Priority::High).await;
    assert_eq!(bench.drain(&worker).await, [high, low, late]);
}

/// A waiting order whose task gets another priority moves in the queue.
pub async fn a_new_priority_moves_a_waiting_order(bench: &Bench) {
    let worker = bench.worker().await;
    let first = bench.submit_one().await;
    let second = bench.submit(new_task("urgent after all")).await;
    let patch = TaskPatch { priority: Some(Priority::High), ..TaskPatch::default() };
    tasks::update(&bench.store, second.task.id, patch, bench.now()).await.expect("editing");
    bench.publish(&[second.order_id]).await;
    assert_eq!(bench.drain(&worker).await, [second.order_id, first]);
}

/// A delayed order cannot be claimed before its time, and can be at it.
pub async fn a_delayed_order_waits_for_its_time(bench: &Bench) {
    let worker = bench.worker().await;
    let run_at = bench.now() + Duration::from_secs(60);
    let order = bench.submit(NewTask { run_at: Some(run_at), ..new_task("later") }).await.order_id;
    bench.clock.advance(Duration::from_millis(59_999));
    assert!(bench.claim(&worker).await.is_empty());
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.claim_one(&worker).await.order.id, order);
}

/// A claim hands out what was asked for at most.
pub async fn a_claim_is_never_larger_than_asked(bench: &Bench) {
    let worker = bench.worker().await;
    for _ in 0..7 {
        bench.submit_one().await;
    }
    let mut sizes = Vec::new();
    for limit in [3, 1, 100] {
        sizes.push(bench.claim(&ClaimRequest { limit, ..worker.clone() }).await.len());
    }
    assert_eq!(sizes, [3, 1, 3]);
}

/// An empty queue gives an empty claim.
pub async fn nothing_to_claim_is_no_error(bench: &Bench) {
    let worker = bench.worker().await;
    assert!(bench.claim(&worker).await.is_empty());
    let order = bench.submit_one().await;
    assert_eq!(bench.drain(&worker).await, [order]);
    assert!(bench.claim(&worker).await.is_empty());
}

/// The claim records the worker, the lease, the attempt, the session and the execution, and starts the task.
pub async fn a_claim_says_all_about_itself(bench: &Bench) {
    let worker = bench.worker().await;
    let submitted = bench.submit(new_task("a task")).await;
    bench.clock.advance(Duration::from_secs(1));
    let claimed = bench.claim_one(&worker).await;
    let order = &claimed.order;
    assert_eq!((order.id, order.task_id, order.run_id), (submitted.order_id, submitted.task.id, submitted.run_id));
    assert_eq!((order.status, order.worker_id), (OrderStatus::Claimed, Some(worker.worker_id)));
    assert_eq!((order.epoch.0, order.attempt, order.retry_count, order.kills), (1, 1, 0, 0));
    assert_eq!((order.claimed_at, order.lease_expires_at), (Some(bench.now()), Some(bench.now() + LEASE)));
    assert_eq!(order.score, order.priority.score(order.enqueued_at));
    assert_eq!(*order, bench.order(order.id).await);
    let session = sessions::get(&bench.store, claimed.session_id).await.expect("the claim's session");
    assert_eq!((session.worker_id, session.order_id), (worker.worker_id, Some(order.id)));
    let executions = executions::of_task(&bench.store, order.task_id).await.expect("executions");
    assert_eq!(executions.iter().map(|e| (e.id, e.epoch)).collect::<Vec<_>>(), [(claimed.execution_id(), order.epoch)]);
    let task = tasks::get(&bench.store, order.task_id).await.expect("the task");
    assert_eq!(task.status, TaskStatus::InProgress);
}

/// The same key with the same request is one order; with another request it is an error that changes nothing.
pub async fn the_same_idempotency_key_is_one_order(bench: &Bench) {
    let worker = bench.worker().await;
    let keyed = |title: &str| NewTask { idempotency_key: Some("key-1".to_owned()), ..new_task(title) };
    let first = bench.submit(keyed("once")).await;
    let again = bench.submit(keyed("once")).await;
    assert!(first.created && !again.created);
    assert_eq!((first.task.id, first.order_id), (again.task.id, again.order_id));
    let other = tasks::submit(&bench.store, keyed("something else"), bench.now()).await;
    assert!(matches!(other, Err(StoreError::IdempotencyMismatch { .. })), "{other:?}");
    assert_eq!(bench.drain(&worker).await, [first.order_id]);
}

/// A bulk submission keeps its order; with one bad task in it, none is recorded.
pub async fn bulk_is_all_or_nothing_and_keeps_its_order(bench: &Bench) {
    let worker = bench.worker().await;
    let bulk: Vec<_> = (0..25).map(|n| new_task(&format!("task {n}"))).collect();
    let submitted = tasks::submit_bulk(&bench.store, bulk.clone(), bench.now()).await.expect("submitting");
    let ids: Vec<_> = submitted.iter().map(|s| s.order_id).collect();
    bench.publish(&ids).await;
    let titles: Vec<_> = submitted.iter().map(|s| s.task.title.clone()).collect();
    assert_eq!(titles, bulk.iter().map(|new| new.title.clone()).collect::<Vec<_>>());

    let mut bad = bulk;
    bad.push(NewTask { project: name("nowhere"), ..new_task("bad") });
    let refused = tasks::submit_bulk(&bench.store, bad, bench.now()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    assert_eq!(bench.drain(&worker).await, ids);
}

/// Publishing an order again, claimed or finished meanwhile, does no harm.
pub async fn publishing_again_changes_nothing(bench: &Bench) {
    let worker = bench.worker().await;
    let order = bench.submit_one().await;
    bench.publish(&[order, order]).await;
    bench.publish(&[]).await;
    let claimed = bench.claim_one(&worker).await;
    bench.publish(&[order]).await;
    assert!(bench.claim(&worker).await.is_empty());
    bench.complete(claimed.fence()).await;
    bench.publish(&[order]).await;
    assert!(bench.claim(&worker).await.is_empty());
    bench.queue.withdraw(&[order]).await.expect("withdrawing");
    assert_eq!(bench.status(order).await, OrderStatus::Completed);
}

/// The depth has a row per queue and priority and counts each order in one column.
pub async fn depth_counts_every_order_once(bench: &Bench) {
    let worker = bench.worker().await;
    let begin = bench.now();
    for _ in 0..3 {
        bench.submit_with(Priority::High).await;
    }
    bench.submit_with(Priority::Low).await;
    let run_at = Some(begin + Duration::from_secs(60));
    bench.submit(NewTask { run_at, priority: Priority::High, ..new_task("later") }).await;
    bench.submit(NewTask { queue: name("other"), ..new_task("elsewhere") }).await;
    let claimed = bench.claim_one(&worker).await;
    assert_eq!(claimed.order.priority, Priority::High);

    let depth = bench.queue.depth(bench.now()).await.expect("depth");
    let row = |queue: &str, priority| depth.iter().find(|d| d.queue.as_str() == queue && d.priority == priority);
    let counts = |d: &QueueDepth| (d.ready, d.delayed, d.claimed, d.parked, d.dead);
    let of = |queue, priority| row(queue, priority).map(counts);
    assert_eq!(of("default", Priority::High), Some((2, 1, 1, 0, 0)));
    assert_eq!(of("default", Priority::Low), Some((1, 0, 0, 0, 0)));
    assert_eq!(of("default", Priority::Normal), Some((0, 0, 0, 0, 0)));
    assert_eq!(of("other", Priority::Normal), Some((1, 0, 0, 0, 0)));
    assert_eq!(row("default", Priority::Low).and_then(|d| d.oldest_ready_at), Some(begin));
    assert_eq!(row("default", Priority::Normal).and_then(|d| d.oldest_ready_at), None);
}
