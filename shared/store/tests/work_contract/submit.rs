//! Submitting.

use serde_json::json;
use shopfloor_domain::{Name, event::EventKind, order::OrderStatus, task::TaskStatus};
use shopfloor_store::{
    PageRequest, StoreError, messages, orders, projects, runs,
    tasks::{self, NewTask, TaskFilter},
};
use shopfloor_testkit::{T0, TestStore, name, new_task};

use super::common::{at, count, history, kinds, submit};

fn keyed(key: &str) -> NewTask {
    NewTask { idempotency_key: Some(key.to_owned()), ..new_task("keyed") }
}

pub(crate) async fn a_submission_is_whole(store: &TestStore) {
    let new = NewTask {
        description: "Longer.\nWith a second line.".to_owned(),
        repository_url: Some("https://example.org/r.git".to_owned()),
        branch_name: Some("main".to_owned()),
        input: json!({"code": "print('é')", "none": null, "numbers": [1, 2.5, -3]}),
        ..new_task("a task")
    };
    let submitted = submit(store, new.clone()).await;
    assert!(submitted.created);
    let task = tasks::get(store, submitted.task.id).await.unwrap();
    assert_eq!(task, submitted.task);
    assert_eq!((task.status, task.created_at, task.project.clone()), (TaskStatus::Queued, T0, Name::DEFAULT));
    let run = runs::get(store, submitted.run_id).await.unwrap();
    assert_eq!(runs::of_task(store, task.id).await.unwrap(), std::slice::from_ref(&run));
    assert_eq!((run.definition, run.input, run.branch), (new.definition, new.input, new.branch_name));
    let order = tasks::newest_order(store, task.id).await.unwrap();
    assert_eq!(orders::of_task(store, task.id).await.unwrap(), std::slice::from_ref(&order));
    assert_eq!((order.id, order.run_id, order.status), (submitted.order_id, run.id, OrderStatus::Queued));
    let chat = messages::list(store, Some(task.id.into()), &PageRequest::default()).await.unwrap();
    assert!(chat.items.is_empty());
    let events = history(store, task.id).await;
    assert_eq!(kinds(&events), [EventKind::TaskSubmitted, EventKind::OrderStatus]);
    assert_eq!(events[0].payload["title"], "a task");
}

pub(crate) async fn bulk_is_all_or_nothing(store: &TestStore) {
    let bad = NewTask { project: name("nowhere"), ..new_task("bad") };
    let refused = tasks::submit_bulk(store, vec![new_task("good"), bad], T0).await;
    assert!(matches!(refused, Err(StoreError::NotFound { kind: "project", .. })), "{refused:?}");
    let clash = NewTask { title: "other".to_owned(), ..keyed("k") };
    let refused = tasks::submit_bulk(store, vec![keyed("k"), new_task("good"), clash], T0).await;
    assert!(matches!(refused, Err(StoreError::IdempotencyMismatch { .. })), "{refused:?}");
    for table in ["tasks", "pipelines", "work_orders", "conversations", "events", "idempotency_keys"] {
        assert_eq!(count(store, table, "1 = 1").await, 0, "{table}");
    }
    assert_eq!(tasks::submit_bulk(store, Vec::new(), T0).await.unwrap(), []);
}

pub(crate) async fn a_thousand_tasks_are_one_submission(store: &TestStore) {
    let new = (0..1000).map(|n| NewTask { idempotency_key: Some(format!("k{n}")), ..new_task(&format!("task {n}")) });
    let new: Vec<NewTask> = new.collect();
    let submitted = tasks::submit_bulk(store, new.clone(), T0).await.unwrap();
    let titles: Vec<&str> = submitted.iter().map(|submitted| submitted.task.title.as_str()).collect();
    assert_eq!((titles[0], titles[999], titles.len()), ("task 0", "task 999", 1000));
    assert!(submitted.is_sorted_by_key(|submitted| submitted.order_id));
    assert_eq!(tasks::count_orders(store).await.unwrap(), [(OrderStatus::Queued, 1000)]);
    let again = tasks::submit_bulk(store, new, at(5)).await.unwrap();
    assert!(again.iter().all(|again| !again.created));
    assert!(again.iter().zip(&submitted).all(|(again, first)| again.task == first.task));
}

pub(crate) async fn the_same_key_gives_the_same_task(store: &TestStore) {
    let first = submit(store, keyed("k")).await;
    let later = NewTask {
        created_by: "someone else".to_owned(),
        run_at: Some(at(60)),
        pipeline_version: "newer".to_owned(),
        definition: json!({"name": "run-code", "steps": [], "newer": true}),
        ..keyed("k")
    };
    let again = tasks::submit(store, later, at(7)).await.unwrap();
    assert!(!again.created);
    assert_eq!((again.task, again.order_id, again.run_id), (first.task, first.order_id, first.run_id));
    assert_eq!(count(store, "tasks", "1 = 1").await, 1);
}

pub(crate) async fn another_request_with_the_key_is_refused(store: &TestStore) {
    submit(store, keyed("k")).await;
    for other in [
        NewTask { title: "other".to_owned(), ..keyed("k") },
        NewTask { input: json!({"code": "print(2)"}), ..keyed("k") },
        NewTask { queue: name("other"), ..keyed("k") },
        NewTask { branch_name: Some(String::new()), ..keyed("k") },
    ] {
        let refused = tasks::submit(store, other, T0).await;
        assert!(matches!(&refused, Err(StoreError::IdempotencyMismatch { key }) if key == "k"), "{refused:?}");
    }
    assert_eq!(count(store, "tasks", "1 = 1").await, 1);
}

pub(crate) async fn a_key_twice_in_one_submission_is_one_task(store: &TestStore) {
    let submitted = tasks::submit_bulk(store, vec![keyed("k"), new_task("free"), keyed("k")], T0).await.unwrap();
    let created: Vec<bool> = submitted.iter().map(|submitted| submitted.created).collect();
    assert_eq!(created, [true, true, false]);
    assert_eq!(submitted[0].task, submitted[2].task);
    assert_eq!(count(store, "tasks", "1 = 1").await, 2);
}

pub(crate) async fn two_processes_with_one_key_make_one_task(store: &TestStore) {
    let other = store.reopen().await;
    for round in 0..5 {
        let bulk = |keys: [&str; 3]| keys.map(|key| keyed(&format!("{round}-{key}"))).to_vec();
        let one = tasks::submit_bulk(store, bulk(["a", "b", "c"]), T0);
        let two = tasks::submit_bulk(&other, bulk(["c", "b", "a"]), T0);
        let three = tasks::submit_bulk(store, bulk(["b", "c", "a"]), T0);
        let (one, two, three) = tokio::join!(one, two, three);
        let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
        let ids = |submitted: &[tasks::Submitted], order: [usize; 3]| order.map(|n| submitted[n].task.id);
        assert_eq!(ids(&one, [0, 1, 2]), ids(&two, [2, 1, 0]));
        assert_eq!(ids(&one, [0, 1, 2]), ids(&three, [2, 0, 1]));
        let created = one.iter().chain(&two).chain(&three).filter(|submitted| submitted.created).count();
        assert_eq!(created, 3);
    }
    assert_eq!(count(store, "tasks", "1 = 1").await, 15);
}

pub(crate) async fn keys_of_different_projects_are_apart(store: &TestStore) {
    projects::put(store, &name("other"), projects::Limits::default(), T0).await.unwrap();
    let first = submit(store, keyed("k")).await;
    let second = submit(store, NewTask { project: name("other"), title: "other".to_owned(), ..keyed("k") }).await;
    assert!(first.created && second.created);
    let filter = TaskFilter { project: Some(name("other")), ..TaskFilter::default() };
    let found = tasks::list(store, &filter, &PageRequest::default()).await.unwrap();
    assert_eq!(found.items, [second.task]);
}
