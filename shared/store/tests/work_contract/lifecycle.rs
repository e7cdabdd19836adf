//! Cancelling, retrying and editing tasks.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use shopfloor_domain::{
    Priority, TaskId,
    event::EventKind,
    order::OrderStatus,
    question::{QuestionKind, QuestionStatus},
    step::{StepKind, StepStatus},
    task::TaskStatus,
};
use shopfloor_store::{
    PageRequest, StoreError, approvals,
    orders::{self, Verdict},
    questions, runs, steps,
    tasks::{self, Cancelled, TaskPatch},
};
use shopfloor_testkit::{T0, TestStore, new_task};

use super::common::{asked, at, begun, claim, claimed, history, new_question, submit};

fn is_conflict<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}");
}

pub(crate) async fn a_waiting_task_is_cancelled_at_once(store: &TestStore) {
    let submitted = submit(store, new_task("a task")).await;
    let cancelled = tasks::cancel(store, submitted.task.id, "key:me", at(1)).await.unwrap();
    let Cancelled::Now(task) = cancelled else { panic!("{cancelled:?}") };
    assert_eq!((task.status, task.completed_at), (TaskStatus::Cancelled, Some(at(1))));
    assert_eq!(task, tasks::get(store, task.id).await.unwrap());
    let order = orders::get(store, submitted.order_id).await.unwrap();
    assert_eq!((order.status, order.completed_at), (OrderStatus::Cancelled, Some(at(1))));
    assert_eq!(runs::get(store, submitted.run_id).await.unwrap().status, TaskStatus::Cancelled);
    is_conflict(tasks::cancel(store, task.id, "key:me", at(2)).await);
}

pub(crate) async fn a_parked_task_is_cancelled_with_its_question(store: &TestStore) {
    let mut new = new_question("May I?");
    new.kind = QuestionKind::Approval;
    let (held, step, question) = asked(store, new).await;
    orders::finish(store, held.fence(), Verdict::Parked, at(1)).await.unwrap();
    let cancelled = tasks::cancel(store, held.order.task_id, "key:me", at(2)).await.unwrap();
    assert!(matches!(cancelled, Cancelled::Now(_)), "{cancelled:?}");
    let question = questions::get(store, question.id).await.unwrap();
    assert_eq!((question.status, question.answer), (QuestionStatus::Cancelled, None));
    let steps = steps::of_run(store, step.run_id).await.unwrap();
    assert_eq!((steps[0].status, steps[0].finished_at), (StepStatus::Cancelled, Some(at(2))));
    let approvals = approvals::of_task(store, held.order.task_id).await.unwrap();
    assert_eq!((approvals[0].status.as_str(), approvals[0].decided_at), ("cancelled", Some(at(2))));
}

pub(crate) async fn a_running_task_is_asked_to_stop(store: &TestStore) {
    let held = claimed(store).await;
    let task = held.order.task_id;
    for second in 1..3 {
        let cancelled = tasks::cancel(store, task, "key:me", at(second)).await.unwrap();
        let Cancelled::Requested(task) = cancelled else { panic!("{cancelled:?}") };
        assert_eq!(task.status, TaskStatus::InProgress);
    }
    assert_eq!(orders::get(store, held.order.id).await.unwrap().cancel_requested_at, Some(at(1)));
    let requests = history(store, task).await;
    assert_eq!(requests.iter().filter(|event| event.kind == EventKind::OrderCancelRequested).count(), 1);
    orders::finish(store, held.fence(), Verdict::Cancelled, at(3)).await.unwrap();
    assert_eq!(tasks::get(store, task).await.unwrap().status, TaskStatus::Cancelled);
}

pub(crate) async fn what_is_over_cannot_be_cancelled(store: &TestStore) {
    let held = claimed(store).await;
    orders::finish(store, held.fence(), Verdict::Completed { result: json!(1) }, at(1)).await.unwrap();
    is_conflict(tasks::cancel(store, held.order.task_id, "key:me", at(2)).await);
    let unknown = tasks::cancel(store, TaskId::new(), "key:me", at(2)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(crate) async fn a_failed_task_is_retried_from_the_beginning(store: &TestStore) {
    let held = claimed(store).await;
    let task = held.order.task_id;
    is_conflict(tasks::retry(store, task, "key:me", at(1)).await);
    begun(store, &held, 0, StepKind::Critic).await;
    let failed = Verdict::Failed { error: "No.".to_owned(), result: Some(json!({"findings": []})) };
    orders::finish(store, held.fence(), failed, at(1)).await.unwrap();
    let again = tasks::retry(store, task, "key:me", at(2)).await.unwrap();
    assert_eq!((again.task.id, again.task.status, again.created), (task, TaskStatus::Queued, true));
    assert_eq!((&again.task.error, &again.task.result, again.task.completed_at), (&None, &None, None));
    assert_eq!(again.task, tasks::get(store, task).await.unwrap());
    let runs = runs::of_task(store, task).await.unwrap();
    assert_eq!((runs.len(), runs[0].status, runs[1].status), (2, TaskStatus::Failed, TaskStatus::Queued));
    assert_eq!((runs[1].id, &runs[1].definition), (again.run_id, &runs[0].definition));
    let orders = orders::of_task(store, task).await.unwrap();
    assert_eq!((orders[0].requeued_as, orders[1].id), (Some(again.order_id), again.order_id));
    let held = claim(store).await;
    assert_eq!((held.order.id, held.order.run_id), (again.order_id, again.run_id));
    assert_eq!(begun(store, &held, 0, StepKind::Critic).await.attempt, 1);
}

pub(crate) async fn a_dead_order_is_taken_up_by_the_retry(store: &TestStore) {
    let mut new = new_task("a task");
    new.max_attempts = 1;
    submit(store, new).await;
    let held = claim(store).await;
    let retry = Verdict::Retry { error: "Not now.".to_owned(), after: Duration::ZERO };
    let dead = orders::finish(store, held.fence(), retry, at(1)).await.unwrap();
    assert_eq!(dead.status, OrderStatus::Dead);
    tasks::retry(store, dead.task_id, "key:me", at(2)).await.unwrap();
    let left = orders::dead(store, &PageRequest::default()).await.unwrap();
    assert!(left.items.is_empty());
    is_conflict(orders::requeue_dead(store, dead.id, None, "key:me", at(3)).await);
}

pub(crate) async fn only_one_of_many_retries_wins(store: &TestStore) {
    let submitted = submit(store, new_task("a task")).await;
    tasks::cancel(store, submitted.task.id, "key:me", at(1)).await.unwrap();
    let retries = (0..6).map(|_| tasks::retry(store, submitted.task.id, "key:me", at(2)));
    let won = join_all(retries).await.into_iter().filter(|outcome| match outcome {
        Ok(_) => true,
        Err(StoreError::Conflict { .. }) => false,
        Err(other) => panic!("{other:?}"),
    });
    assert_eq!(won.count(), 1);
    assert_eq!(orders::of_task(store, submitted.task.id).await.unwrap().len(), 2);
}

pub(crate) async fn a_task_is_edited(store: &TestStore) {
    let submitted = submit(store, new_task("a task")).await;
    let id = submitted.task.id;
    let patch = TaskPatch {
        title: Some("another title".to_owned()),
        priority: Some(Priority::High),
        branch_name: Some(Some("main".to_owned())),
        ..TaskPatch::default()
    };
    let task = tasks::update(store, id, patch, at(1)).await.unwrap();
    assert_eq!(task, tasks::get(store, id).await.unwrap());
    assert_eq!((task.title.as_str(), task.priority, task.updated_at), ("another title", Priority::High, at(1)));
    let order = orders::get(store, submitted.order_id).await.unwrap();
    assert_eq!((order.priority, order.score), (Priority::High, Priority::High.score(T0)));
    let event = history(store, id).await.pop().unwrap();
    assert_eq!(event.kind, EventKind::TaskUpdated);
    assert_eq!(event.payload, json!({"title": "another title", "priority": "high", "branch_name": "main"}));
    let cleared = TaskPatch { branch_name: Some(None), ..TaskPatch::default() };
    assert_eq!(tasks::update(store, id, cleared, at(2)).await.unwrap().branch_name, None);
    let same = tasks::update(store, id, TaskPatch::default(), at(3)).await.unwrap();
    assert_eq!(same.updated_at, at(2));
    let held = claim(store).await;
    orders::finish(store, held.fence(), Verdict::Completed { result: json!(1) }, at(4)).await.unwrap();
    let low = TaskPatch { priority: Some(Priority::Low), ..TaskPatch::default() };
    is_conflict(tasks::update(store, id, low, at(5)).await);
    let title = TaskPatch { title: Some("done".to_owned()), ..TaskPatch::default() };
    assert_eq!(tasks::update(store, id, title, at(6)).await.unwrap().title, "done");
}
