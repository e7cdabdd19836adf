//! The rule of thirty minutes and one hour.

use std::time::Duration;

use shopfloor_domain::{
    event::EventKind,
    order::OrderStatus,
    session::{EndReason, SessionStatus},
};
use shopfloor_orchestrator::loops::Sessions;
use shopfloor_store::{
    StoreError,
    orders::{Renewed, Verdict},
    sessions,
};
use shopfloor_testkit::TestStore;

use crate::floor::{Floor, HOUR, MINUTE, settle, settle_both};

const INSTANT: Duration = Duration::from_millis(1);
/// Longer than any session lives, so that no lease is in the way.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

fn reaper(floor: &Floor) -> Sessions {
    Sessions::new(&floor.settings, &floor.deps)
}

pub(crate) async fn an_idle_session_ends_and_its_order_runs_elsewhere(store: &TestStore) {
    let floor = Floor::new(store);
    let held = floor.busy(LEASE).await;
    floor.clock.advance(30 * MINUTE);
    assert_eq!(settle(&reaper(&floor)).await, 0, "thirty minutes are allowed");
    floor.clock.advance(INSTANT);
    assert_eq!(settle(&reaper(&floor)).await, 1);

    let session = sessions::get(store, held.session_id).await.unwrap();
    assert_eq!((session.status, session.end_reason), (SessionStatus::Terminated, Some(EndReason::Idle)));
    assert_eq!(floor.metric("shopfloor_sessions_reaped_total{reason=\"idle_timeout\"}"), 1);
    let order = floor.order(&held).await;
    assert_eq!((order.status, order.attempt, order.kills), (OrderStatus::Queued, 0, 0), "no attempt is burnt");

    // The old worker learns it at its next renewal, and cannot write any more.
    let worker = held.order.worker_id.unwrap();
    let renewed = floor.deps.queue.renew(worker, &[held.fence()], LEASE, floor.now()).await.unwrap();
    assert_eq!(renewed, [Renewed::Lost]);
    let late = Verdict::Completed { result: serde_json::json!({}) };
    let late = floor.deps.queue.finish(held.fence(), late, floor.now()).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");

    let other = floor.worker().await;
    let again = floor.claim(other, 1, LEASE).await.pop().expect("it runs elsewhere");
    assert_eq!((again.order.id, again.order.attempt, again.order.epoch.0), (held.order.id, 1, 2));
    assert_ne!(again.session_id, held.session_id);
}

pub(crate) async fn a_busy_session_ends_after_an_hour(store: &TestStore) {
    let floor = Floor::new(store);
    let held = floor.busy(LEASE).await;
    for _ in 0..6 {
        floor.clock.advance(10 * MINUTE);
        sessions::touch(store, held.session_id, floor.now()).await.unwrap();
        assert_eq!(settle(&reaper(&floor)).await, 0);
    }
    floor.clock.advance(INSTANT);
    assert_eq!(settle(&reaper(&floor)).await, 1);
    let session = sessions::get(store, held.session_id).await.unwrap();
    assert_eq!(session.end_reason, Some(EndReason::Age), "an hour old, however busy");
    let order = floor.order(&held).await;
    assert_eq!((order.status, order.attempt), (OrderStatus::Queued, 0));
}

pub(crate) async fn a_parked_order_is_left_alone(store: &TestStore) {
    let floor = Floor::new(store);
    let parked = crate::ladder::parked(&floor, Default::default(), None).await;
    floor.clock.advance(2 * HOUR);
    assert_eq!(settle(&reaper(&floor)).await, 0, "its session ended when it was parked");
    assert_eq!(floor.order(&parked.claimed).await.status, OrderStatus::Parked);
}

pub(crate) async fn two_orchestrators_reap_as_one_does(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    floor.submit(&["task"; 40]).await;
    let worker = floor.worker().await;
    assert_eq!(floor.claim(worker, 40, LEASE).await.len(), 40);
    floor.clock.advance(31 * MINUTE);
    assert_eq!(settle_both(&reaper(&floor), &reaper(&other)).await, 40);

    assert_eq!(floor.counts().await, [(OrderStatus::Queued, 40)]);
    assert_eq!(floor.events(EventKind::OrderStatus, "end_reason", "idle_timeout").await, 40);
    assert_eq!(floor.events(EventKind::OrderStatus, "event", "released").await, 40);
    assert_eq!(settle_both(&reaper(&floor), &reaper(&other)).await, 0, "a second round finds nothing");
}
