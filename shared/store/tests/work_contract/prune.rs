//! What is kept, and for how long.

use serde_json::json;
use shopfloor_domain::event::EventKind;
use shopfloor_store::{
    orders::{self, Verdict},
    prune::{self, Pruned},
    tasks::{self, NewTask},
    workers,
};
use shopfloor_testkit::{T0, TestStore, new_task, worker};

use super::common::{at, claim_at, count, history, submit};

pub(crate) async fn old_rows_go_and_stories_of_the_living_stay(store: &TestStore) {
    let done = submit(store, NewTask { idempotency_key: Some("old".to_owned()), ..new_task("done") }).await;
    let held = claim_at(store, T0).await;
    orders::finish(store, held.fence(), Verdict::Completed { result: json!(1) }, at(1)).await.unwrap();
    let living = submit(store, new_task("living")).await.task.id;
    let young = NewTask { idempotency_key: Some("young".to_owned()), ..new_task("young") };
    tasks::submit(store, young, at(100)).await.unwrap();
    let idle = workers::register(store, worker(), T0).await.unwrap();
    for id in [idle.id, held.order.worker_id.unwrap()] {
        workers::leave(store, id, at(2)).await.unwrap();
    }
    assert_eq!(prune::pass(store, T0, 100).await.unwrap(), Pruned::default());
    let story = history(store, living).await;
    let first = prune::pass(store, at(50), 2).await.unwrap();
    assert_eq!((first.events, first.idempotency_keys, first.workers), (2, 1, 1));
    let rest = prune::pass(store, at(50), 100).await.unwrap();
    assert!(rest.events > 0);
    assert_eq!(prune::pass(store, at(50), 100).await.unwrap(), Pruned::default());
    assert_eq!(history(store, done.task.id).await, []);
    assert_eq!(history(store, living).await, story);
    assert_eq!(story[0].kind, EventKind::TaskSubmitted);
    assert_eq!(count(store, "idempotency_keys", "key = 'young'").await, 1);
    assert!(workers::get(store, idle.id).await.is_err());
    assert!(workers::get(store, held.order.worker_id.unwrap()).await.is_ok());
}
