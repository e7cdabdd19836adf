//! Finding tasks.

use shopfloor_domain::{Name, Priority, order::OrderStatus, task::TaskStatus, task::TaskType};
use shopfloor_store::{
    PageRequest, Store, StoreError, projects,
    tasks::{self, NewTask, TaskFilter},
};
use shopfloor_testkit::{T0, TestStore, name, new_task};

use super::common::{claim, submit};

async fn titles(store: &Store, filter: TaskFilter) -> Vec<String> {
    let page = tasks::list(store, &filter, &PageRequest::default()).await.unwrap();
    page.items.into_iter().map(|task| task.title).collect()
}

pub(crate) async fn tasks_are_filtered(store: &TestStore) {
    projects::put(store, &name("other"), projects::Limits::default(), T0).await.unwrap();
    submit(store, NewTask { priority: Priority::High, ..new_task("100% of_it \\o/") }).await;
    submit(store, NewTask { task_type: TaskType::Docs, ..new_task("The Manual") }).await;
    submit(store, NewTask { project: name("other"), ..new_task("manual work") }).await;
    claim(store).await;
    let all = TaskFilter::default();
    assert_eq!(titles(store, all.clone()).await, ["manual work", "The Manual", "100% of_it \\o/"]);
    let cases: [(TaskFilter, &[&str]); 12] = [
        (TaskFilter { status: vec![TaskStatus::InProgress], ..all.clone() }, &["100% of_it \\o/"]),
        (TaskFilter { status: vec![TaskStatus::Failed, TaskStatus::Completed], ..all.clone() }, &[]),
        (
            TaskFilter { status: vec![TaskStatus::Queued, TaskStatus::Failed], ..all.clone() },
            &["manual work", "The Manual"],
        ),
        (TaskFilter { task_type: Some(TaskType::Docs), ..all.clone() }, &["The Manual"]),
        (TaskFilter { priority: Some(Priority::High), ..all.clone() }, &["100% of_it \\o/"]),
        (TaskFilter { project: Some(name("other")), ..all.clone() }, &["manual work"]),
        (TaskFilter { project: Some(name("nowhere")), ..all.clone() }, &[]),
        (TaskFilter { text: Some("MANUAL".to_owned()), ..all.clone() }, &["manual work", "The Manual"]),
        (TaskFilter { text: Some("%".to_owned()), ..all.clone() }, &["100% of_it \\o/"]),
        (TaskFilter { text: Some("f_i".to_owned()), ..all.clone() }, &["100% of_it \\o/"]),
        (TaskFilter { text: Some("\\o".to_owned()), ..all.clone() }, &["100% of_it \\o/"]),
        (TaskFilter { text: Some("man".to_owned()), project: Some(Name::DEFAULT), ..all.clone() }, &["The Manual"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(titles(store, filter.clone()).await, expected, "{filter:?}");
    }
}

pub(crate) async fn tasks_are_listed_in_pages(store: &TestStore) {
    let new = (0..5).map(|n| new_task(&format!("task {n}"))).collect();
    tasks::submit_bulk(store, new, T0).await.unwrap();
    let mut request = PageRequest { after: None, limit: 2 };
    let mut seen = Vec::new();
    loop {
        let page = tasks::list(store, &TaskFilter::default(), &request).await.unwrap();
        seen.extend(page.items.into_iter().map(|task| task.title));
        // What comes in between does not disturb the reader.
        submit(store, new_task("newer")).await;
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["task 4", "task 3", "task 2", "task 1", "task 0"]);
    let foreign = PageRequest { after: Some("zz".to_owned()), limit: 2 };
    let refused = tasks::list(store, &TaskFilter::default(), &foreign).await;
    assert!(matches!(refused, Err(StoreError::Invalid { field: "after", .. })), "{refused:?}");
}

pub(crate) async fn counts_tell_where_things_stand(store: &TestStore) {
    assert_eq!(tasks::count_by_status(store).await.unwrap(), []);
    tasks::submit_bulk(store, vec![new_task("a"), new_task("b"), new_task("c")], T0).await.unwrap();
    claim(store).await;
    let mut by_status = tasks::count_by_status(store).await.unwrap();
    by_status.sort();
    assert_eq!(by_status, [(TaskStatus::Queued, 2), (TaskStatus::InProgress, 1)]);
    let mut orders = tasks::count_orders(store).await.unwrap();
    orders.sort();
    assert_eq!(orders, [(OrderStatus::Queued, 2), (OrderStatus::Claimed, 1)]);
}
