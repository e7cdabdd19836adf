//! Projects and queues.

use std::time::Duration;

use shopfloor_domain::{Name, event::EventKind};
use shopfloor_store::{
    PageRequest, StoreError, audit,
    events::{self, Cursor, EventFilter},
    projects::{self, Limits},
    queues,
};
use shopfloor_testkit::{T0, TestStore, name, soon};

pub(crate) async fn a_project_is_made_and_changed(store: &TestStore) {
    let default = projects::get(store, &Name::DEFAULT).await.expect("the default project");
    assert_eq!((default.name, default.max_concurrency), (Name::DEFAULT, None));
    let small = name("small");
    let unknown = projects::get(store, &small).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { kind: "project", .. })), "{unknown:?}");
    let made = projects::put(store, &small, Limits::concurrency(Some(2)), T0).await.expect("making");
    let changed = projects::put(store, &small, Limits::default(), T0 + Duration::from_secs(1)).await.expect("changing");
    assert_eq!((changed.id, changed.created_at, changed.max_concurrency), (made.id, T0, None));
    let names: Vec<_> = projects::list(store).await.expect("listing").into_iter().map(|p| p.name).collect();
    assert_eq!(names, [Name::DEFAULT, small]);
}

pub(crate) async fn pausing_is_recorded_and_audited(store: &TestStore) {
    let red = name("red");
    let paused = queues::pause(store, &red, "ann", T0).await.expect("pausing");
    assert_eq!((paused.paused_at, paused.paused_by.as_deref()), (Some(T0), Some("ann")));
    let again = queues::pause(store, &red, "bob", T0 + Duration::from_secs(1)).await.expect("pausing");
    assert_eq!(again, paused);
    let names: Vec<_> = queues::list(store).await.expect("listing").into_iter().map(|q| q.name).collect();
    assert_eq!(names, [Name::DEFAULT, red.clone()]);
    let resumed = queues::resume(store, &red, "bob", T0).await.expect("resuming");
    assert_eq!((resumed.paused_at, resumed.paused_by), (None, None));
    queues::resume(store, &red, "bob", T0).await.expect("resuming");
    let filter = EventFilter { kinds: vec![EventKind::QueueStatus], ..EventFilter::default() };
    // On PostgreSQL a reader sees a row once every older transaction of the server has ended, other tests' included.
    let log = soon("the log", async {
        loop {
            let log = events::read(store, Cursor::START, &filter, 10).await.expect("the log");
            if log.len() >= 2 {
                return log;
            }
            tokio::task::yield_now().await;
        }
    });
    let states: Vec<_> = log.await.iter().map(|event| event.payload["to"].clone()).collect();
    assert_eq!(states, ["paused", "running"]);
    let entries = audit::list(store, &PageRequest::default()).await.expect("the audit log").items;
    let entries: Vec<_> = entries.iter().map(|e| (e.event_type.as_str(), e.actor.as_str())).collect();
    assert_eq!(entries, [("queue.resumed", "bob"), ("queue.paused", "ann")]);
}
