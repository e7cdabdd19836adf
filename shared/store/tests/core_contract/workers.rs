//! Workers.

use std::time::Duration;

use shopfloor_domain::{WorkerId, worker::WorkerStatus};
use shopfloor_store::{PageRequest, StoreError, workers, workers::NewWorker};
use shopfloor_testkit::{T0, TestStore, capabilities, name, worker};

use super::common::claimed;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn a_worker_registers_and_refreshes(store: &TestStore) {
    let new = NewWorker { capabilities: capabilities("gpu,python"), queues: vec![name("red")], ..worker() };
    let first = workers::register(store, new.clone(), T0).await.expect("registering");
    assert_eq!((&first.capabilities, &first.queues, first.held), (&new.capabilities, &new.queues, 0));
    let again = workers::register(store, NewWorker { slots: 9, ..new }, T0 + SECOND).await.expect("again");
    assert_eq!((again.id, again.slots, again.created_at), (first.id, 9, T0));
    assert_eq!(again.last_heartbeat_at, T0 + SECOND);
    let (_, held) = claimed(store).await;
    let busy = workers::get(store, held.order.worker_id.expect("its worker")).await.expect("the worker");
    assert_eq!(busy.held, 1);
    let unknown = workers::heartbeat(store, WorkerId::new(), WorkerStatus::Busy, T0).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "worker", .. })), "{unknown:?}");
}

pub(crate) async fn silent_workers_go_offline_once(store: &TestStore) {
    let silent = workers::register(store, worker(), T0).await.expect("registering").id;
    let alive = workers::register(store, worker(), T0).await.expect("registering").id;
    workers::heartbeat(store, alive, WorkerStatus::Busy, T0 + SECOND * 10).await.expect("a heartbeat");
    let gone = workers::mark_offline(store, SECOND * 15, T0 + SECOND * 16).await.expect("marking");
    assert_eq!(gone.iter().map(|w| (w.id, w.status)).collect::<Vec<_>>(), [(silent, WorkerStatus::Offline)]);
    assert!(workers::mark_offline(store, SECOND * 15, T0 + SECOND * 16).await.expect("marking").is_empty());
    let back = workers::heartbeat(store, silent, WorkerStatus::Idle, T0 + SECOND * 17).await.expect("a heartbeat");
    assert_eq!(back.status, WorkerStatus::Idle);
    workers::leave(store, silent, T0 + SECOND * 18).await.expect("leaving");
    assert_eq!(workers::get(store, silent).await.expect("the worker").status, WorkerStatus::Offline);
}

pub(crate) async fn a_removed_worker_is_told(store: &TestStore) {
    let id = workers::register(store, worker(), T0).await.expect("registering").id;
    workers::remove(store, id, T0 + SECOND).await.expect("removing");
    let told = workers::heartbeat(store, id, WorkerStatus::Idle, T0 + SECOND * 2).await.expect("a heartbeat");
    assert_eq!(told.removed_at, Some(T0 + SECOND));
}

pub(crate) async fn workers_are_listed_in_pages(store: &TestStore) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(workers::register(store, worker(), T0).await.expect("registering").id);
    }
    ids.sort();
    ids.reverse();
    let first = workers::list(store, false, &PageRequest { after: None, limit: 3 }).await.expect("listing");
    let rest = workers::list(store, false, &PageRequest { after: first.next, limit: 3 }).await.expect("listing");
    let seen: Vec<_> = first.items.iter().chain(&rest.items).map(|w| w.id).collect();
    assert_eq!((seen, rest.next), (ids.clone(), None));
    workers::leave(store, ids[0], T0).await.expect("leaving");
    for (all, count) in [(false, 4), (true, 5)] {
        assert_eq!(workers::list(store, all, &PageRequest::default()).await.expect("listing").items.len(), count);
    }
}
