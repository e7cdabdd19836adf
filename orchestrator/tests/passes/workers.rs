//! Silent workers.

use shopfloor_domain::{event::EventKind, worker::WorkerStatus};
use shopfloor_orchestrator::loops::Workers;
use shopfloor_store::workers;
use shopfloor_testkit::TestStore;

use crate::floor::{Floor, SECOND, settle, settle_both};

fn marker(floor: &Floor) -> Workers {
    Workers::new(&floor.settings, &floor.deps)
}

pub(crate) async fn a_silent_worker_is_offline_until_it_is_heard_again(store: &TestStore) {
    let floor = Floor::new(store);
    let (silent, loud) = (floor.worker().await, floor.worker().await);
    floor.clock.advance(floor.settings.lease.worker_offline_after);
    workers::heartbeat(store, loud, WorkerStatus::Idle, floor.now()).await.unwrap();
    assert_eq!(settle(&marker(&floor)).await, 0, "not yet");
    floor.clock.advance(SECOND);
    assert_eq!(settle(&marker(&floor)).await, 1);
    let status = async |id| workers::get(store, id).await.unwrap().status;
    assert_eq!((status(silent).await, status(loud).await), (WorkerStatus::Offline, WorkerStatus::Idle));
    workers::heartbeat(store, silent, WorkerStatus::Idle, floor.now()).await.unwrap();
    assert_eq!(status(silent).await, WorkerStatus::Idle);
}

pub(crate) async fn two_orchestrators_mark_as_one_does(store: &TestStore) {
    let floor = Floor::new(store);
    let other = floor.neighbour(store).await;
    for _ in 0..20 {
        floor.worker().await;
    }
    floor.clock.advance(floor.settings.lease.worker_offline_after + SECOND);
    assert_eq!(settle_both(&marker(&floor), &marker(&other)).await, 20);
    assert_eq!(floor.events(EventKind::WorkerStatus, "to", "offline").await, 20);
    assert_eq!(settle_both(&marker(&floor), &marker(&other)).await, 0);
}
