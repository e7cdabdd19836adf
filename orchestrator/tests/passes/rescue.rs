//! Dead workers.

use shopfloor_domain::{event::EventKind, order::OrderStatus};
use shopfloor_orchestrator::{Loop, loops::BATCH, loops::Rescue};
use shopfloor_store::{StoreError, orders::Verdict, tasks};
use shopfloor_testkit::{TestStore, new_task};

use crate::floor::{Floor, SECOND, settle, settle_both};

fn rescue(floor: &Floor) -> Rescue {
    Rescue::new(&floor.settings, &floor.deps, || 0.0)
}

pub(crate) async fn a_dead_workers_order_is_queued_again_and_its_ghost_refused(store: &TestStore) {
    let floor = Floor::new(store);
    let lease = floor.settings.lease.ttl;
    let ghost = floor.busy(lease).await;
    floor.clock.advance(lease - SECOND);
    assert_eq!(settle(&rescue(&floor)).await, 0, "its lease still runs");
    floor.clock.advance(2 * SECOND);
    assert_eq!(settle(&rescue(&floor)).await, 1);

    let order = floor.order(&ghost).await;
    assert_eq!((order.status, order.kills, order.attempt), (OrderStatus::Queued, 1, 1));
    assert_eq!(floor.metric("shopfloor_lease_expired_total"), 1);

    let other = floor.worker().await;
    let again = floor.claim(other, 1, lease).await.pop().expect("it runs again");
    assert_eq!((again.order.epoch.0, again.order.attempt), (2, 2));
    let late = floor.deps.queue.finish(ghost.fence(), completed(), floor.now()).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    floor.deps.queue.finish(again.fence(), completed(), floor.now()).await.unwrap();
}

pub(crate) async fn a_stalled_worker_that_renewed_in_time_keeps_its_order(store: &TestStore) {
    let floor = Floor::new(store);
    let lease = floor.settings.lease.ttl;
    let held = floor.busy(lease).await;
    let worker = held.order.worker_id.unwrap();
    for _ in 0..3 {
        floor.clock.advance(5 * SECOND);
        floor.deps.queue.renew(worker, &[held.fence()], lease, floor.now()).await.unwrap();
        assert_eq!(settle(&rescue(&floor)).await, 0);
    }
    floor.deps.queue.finish(held.fence(), completed(), floor.now()).await.unwrap();
}

pub(crate) async fn an_order_that_costs_too_many_workers_is_dead(store: &TestStore) {
    let floor = Floor::new(store);
    let lease = floor.settings.lease.ttl;
    let task =
        floor.submit_all(vec![shopfloor_store::tasks::NewTask { max_attempts: 100, ..new_task("poison") }]).await[0];
    for _ in 0..floor.settings.retry.max_kills {
        let worker = floor.worker().await;
        assert_eq!(floor.claim(worker, 1, lease).await.len(), 1);
        floor.clock.advance(lease + SECOND);
        assert_eq!(settle(&rescue(&floor)).await, 1);
    }
    let order = tasks::newest_order(store, task).await.unwrap();
    assert_eq!((order.status, order.kills), (OrderStatus::Dead, floor.settings.retry.max_kills));
    assert!(order.error.is_some_and(|error| !error.is_empty()), "it says why");
    assert_eq!(floor.metric("shopfloor_orders_finished_total{outcome=\"dead\"}"), 1);
}

pub(crate) async fn a_cancelled_order_of_a_dead_worker_is_cancelled(store: &TestStore) {
    let floor = Floor::new(store);
    let lease = floor.settings.lease.ttl;
    let held = floor.busy(lease).await;
    tasks::cancel(store, held.order.task_id, "test", floor.now()).await.unwrap();
    floor.clock.advance(lease + SECOND);
    assert_eq!(settle(&rescue(&floor)).await, 1);
    assert_eq!(floor.order(&held).await.status, OrderStatus::Cancelled);
}

pub(crate) async fn more_than_a_batch_takes_several_passes(store: &TestStore) {
    let floor = Floor::new(store);
    let orders = claim_many(&floor, BATCH as usize + 20).await;
    floor.clock.advance(floor.settings.lease.ttl + SECOND);
    let rescue = rescue(&floor);
    let first = rescue.pass().await.unwrap();
    assert_eq!((first.done, first.more), (u64::from(BATCH), true));
    let second = rescue.pass().await.unwrap();
    assert_eq!((second.done, second.more), (20, false));
    assert_eq!(floor.counts().await, [(OrderStatus::Queued, orders)]);
}

pub(crate) async fn two_orchestrators_rescue_as_one_does(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    let orders = claim_many(&floor, 150).await;
    floor.clock.advance(floor.settings.lease.ttl + SECOND);
    assert_eq!(settle_both(&rescue(&floor), &rescue(&other)).await, orders);

    assert_eq!(floor.counts().await, [(OrderStatus::Queued, orders)]);
    assert_eq!(floor.events(EventKind::OrderStatus, "event", "lease_expired").await as u64, orders);
    let expired = floor.metric("shopfloor_lease_expired_total") + other.metric("shopfloor_lease_expired_total");
    assert_eq!(expired, orders, "each lease is counted once");
    assert_eq!(settle_both(&rescue(&floor), &rescue(&other)).await, 0, "a second round finds nothing");
}

/// Submits this many tasks and claims them all.
async fn claim_many(floor: &Floor, orders: usize) -> u64 {
    floor.submit_all((0..orders).map(|n| new_task(&format!("task {n}"))).collect()).await;
    let worker = floor.worker().await;
    let mut claimed = 0;
    while claimed < orders {
        claimed += floor.claim(worker, 100, floor.settings.lease.ttl).await.len();
    }
    orders as u64
}

fn completed() -> Verdict {
    Verdict::Completed { result: serde_json::json!({}) }
}
