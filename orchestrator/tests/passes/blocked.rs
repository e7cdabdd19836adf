//! What keeps due orders waiting, and for how long.

use std::time::Duration;

use shopfloor_orchestrator::{
    Loop,
    loops::{Blocked, Workers},
};
use shopfloor_store::{
    projects::{self, Limits},
    tasks::NewTask,
};
use shopfloor_testkit::{TestStore, capabilities, name, new_task};

use crate::floor::{Floor, MINUTE, SECOND, settle};

const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Lets one second pass and returns the seconds that it counted for each cause, beside what was counted before.
async fn second(floor: &Floor, looped: &Blocked) -> Vec<(&'static str, u64)> {
    const CAUSES: [&str; 7] = [
        "queue_paused",
        "no_workers",
        "no_able_worker",
        "project_limit",
        "project_rate",
        "workers_busy",
        "about_to_run",
    ];
    let counted = || CAUSES.map(|cause| floor.metric(&format!("shopfloor_blocked_seconds_total{{cause=\"{cause}\"}}")));
    let before = counted();
    floor.clock.advance(SECOND);
    looped.pass().await.unwrap();
    let more = counted().into_iter().zip(before).map(|(after, before)| after - before);
    CAUSES.into_iter().zip(more).filter(|(_, seconds)| *seconds > 0).collect()
}

pub(crate) async fn every_cause_of_waiting_is_counted(store: &TestStore) {
    let floor = Floor::new(store);
    let looped = Blocked::new(&floor.settings, &floor.deps);
    assert_eq!(second(&floor, &looped).await, [], "nothing waits");
    floor.submit(&["one", "two"]).await;
    assert_eq!(second(&floor, &looped).await, [("no_workers", 2)], "two orders, one second each");

    let worker = floor.worker().await;
    assert_eq!(second(&floor, &looped).await, [("about_to_run", 2)]);
    let gpu = NewTask { needs: capabilities("gpu"), ..new_task("gpu") };
    floor.submit_all(vec![gpu]).await;
    assert_eq!(second(&floor, &looped).await, [("no_able_worker", 1), ("about_to_run", 2)]);
    floor.deps.queue.pause(&name("default"), "test", floor.now()).await.unwrap();
    assert_eq!(second(&floor, &looped).await, [("queue_paused", 3)]);
    floor.deps.queue.resume(&name("default"), "test", floor.now()).await.unwrap();

    assert_eq!(floor.claim(worker, 1, LEASE).await.len(), 1);
    projects::put(store, &name("default"), Limits::concurrency(Some(1)), floor.now()).await.unwrap();
    assert_eq!(second(&floor, &looped).await, [("no_able_worker", 1), ("project_limit", 1)]);
    let slow = Limits { max_concurrency: None, max_starts_per_minute: Some(1) };
    projects::put(store, &name("default"), slow, floor.now()).await.unwrap();
    floor.submit(&["three"]).await;
    assert_eq!(floor.claim(worker, 2, LEASE).await.len(), 1);
    assert_eq!(second(&floor, &looped).await, [("no_able_worker", 1), ("project_rate", 1)]);
    projects::put(store, &name("default"), Limits::default(), floor.now()).await.unwrap();
    floor.submit(&["four", "five"]).await;
    assert_eq!(floor.claim(worker, 2, LEASE).await.len(), 2);
    assert_eq!(second(&floor, &looped).await, [("no_able_worker", 1), ("workers_busy", 1)]);

    // The only worker leaves; what it holds runs on as far as anybody knows.
    floor.clock.advance(floor.settings.lease.worker_offline_after);
    settle(&Workers::new(&floor.settings, &floor.deps)).await;
    looped.pass().await.unwrap();
    assert_eq!(second(&floor, &looped).await, [("no_workers", 2)]);
}

pub(crate) async fn only_the_time_since_an_order_was_due_is_counted(store: &TestStore) {
    let floor = Floor::new(store);
    let looped = Blocked::new(&floor.settings, &floor.deps);
    let later = floor.now() + 3 * MINUTE;
    let delayed = NewTask { run_at: Some(later), ..new_task("later") };
    floor.submit_all(vec![delayed]).await;
    floor.clock.advance(3 * MINUTE - SECOND);
    looped.pass().await.unwrap();
    assert_eq!(second(&floor, &looped).await, [], "it comes due just now");

    floor.submit(&["now"]).await;
    assert_eq!(second(&floor, &looped).await, [("no_workers", 2)]);
    let successor = Blocked::new(&floor.settings, &floor.deps);
    assert_eq!(second(&floor, &successor).await, [("no_workers", 2)], "what was before is the former leader's");
    let worker = floor.worker().await;
    assert_eq!(floor.claim(worker, 2, LEASE).await.len(), 2);
    assert_eq!(second(&floor, &successor).await, [], "it runs");
}
