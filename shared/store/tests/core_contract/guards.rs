//! What the schema refuses, whoever asks; and what it must not refuse.

use std::{future::Future, task::Poll};

use serde_json::json;
use shopfloor_domain::{
    Priority,
    execution::ExecutionStatus,
    order::OrderStatus,
    session::{EndReason, SessionStatus},
    task::{TaskStatus, TaskType},
    worker::WorkerStatus,
};
use shopfloor_store::{
    Settings, Store,
    orders::{self, Verdict},
    projects::{self, Limits},
    tasks,
};
use shopfloor_testkit::{T0, TestStore, name, new_task};

use super::common::{claimed, raw, sql, submit};

const SCHEMA: &str = include_str!("../../../../migrations/src/m0001_core.sql");

pub(crate) async fn the_schema_refuses_impossible_orders(store: &TestStore) {
    let db = raw(store).await;
    submit(store, new_task("a task")).await;
    for change in [
        "status = 'lost'",
        "status = 'claimed'",
        "status = 'claimed', lease_expires_at = 1",
        "status = 'parked'",
        "status = 'completed'",
        "status = 'dead'",
        "lease_expires_at = 1",
        "parked_at = 1",
        "completed_at = 1",
        "epoch = -1",
        "attempt = -1",
        "attempt = 1",
        "max_attempts = 0",
        "kills = -1",
        "priority = 'urgent'",
    ] {
        assert!(sql(&db, &format!("UPDATE work_orders SET {change}")).await.is_err(), "{change}");
    }
    for change in ["status = 'completed'", "completed_at = 1", "status = 'lost'", "priority = 'urgent'"] {
        assert!(sql(&db, &format!("UPDATE tasks SET {change}")).await.is_err(), "{change}");
    }
    let moved = sql(&db, "UPDATE work_orders SET status = 'parked', parked_at = 1").await;
    assert_eq!(moved.expect("a possible order"), 1);
}

pub(crate) async fn the_schema_refuses_two_live_orders_of_a_task(store: &TestStore) {
    let one = submit(store, new_task("one")).await;
    submit(store, new_task("two")).await;
    let db = raw(store).await;
    let all = "UPDATE work_orders SET task_id = (SELECT id FROM tasks WHERE title = 'one')";
    assert!(sql(&db, all).await.is_err());
    let orders = orders::of_task(store, one.task.id).await.expect("orders");
    assert_eq!(orders.len(), 1);
}

/// What a worker reports may hold any text; PostgreSQL cannot hold NUL.
pub(crate) async fn text_that_a_program_printed_is_recorded_without_nul(store: &TestStore) {
    let (_, held) = claimed(store).await;
    let verdict = Verdict::Failed { error: "bad\0byte".to_owned(), result: Some(json!({"stdout": "a\0b"})) };
    let order = orders::finish(store, held.fence(), verdict, T0).await.expect("finishing");
    let task = tasks::get(store, order.task_id).await.expect("the task");
    assert_eq!(task.error.as_deref(), Some("bad\u{fffd}byte"));
    assert_eq!(task.result, Some(json!({"stdout": "a\u{fffd}b"})));
}

/// One writer at a time is SQLite's rule; they queue up rather than fail.
pub(crate) async fn many_at_once_never_meet_a_locked_database(store: &TestStore) {
    let mut all = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = (**store).clone();
        all.spawn(async move {
            let task = submit(&store, new_task(&format!("task {n}"))).await.task;
            tasks::get(&store, task.id).await.expect("the task").title
        });
    }
    let mut titles = all.join_all().await;
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 20);
}

/// A client that hangs up takes its request along, wherever it stands. The connection must not stay inside a transaction
/// that nobody knows of: what is written on it next would never be committed.
pub(crate) async fn a_call_that_is_dropped_leaves_no_transaction_open(store: &TestStore) {
    let settings = Settings { max_connections: 1, ..store.settings().clone() };
    let only = Store::connect(&settings).await.expect("a store with one connection");
    for polls in 1..=12 {
        let _ = cut_short(submit(&only, new_task("dropped")), polls).await;
        let project = name(&format!("kept-{polls}"));
        projects::put(&only, &project, Limits::default(), T0).await.expect("a write without a transaction of its own");
        let kept = projects::get(store, &project).await;
        assert!(kept.is_ok(), "after {polls} polls: {kept:?}");
    }
}

/// Polls a future so many times and drops it; `None` unless it ended.
async fn cut_short<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let (mut future, mut left) = (Box::pin(future), polls);
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The words of the CHECK lists are the words of the domain.
#[test]
fn the_schema_knows_every_word_of_the_domain() {
    let list = |words: Vec<&str>| {
        let quoted: Vec<String> = words.into_iter().map(|word| format!("'{word}'")).collect();
        format!("({})", quoted.join(", "))
    };
    let flat = SCHEMA.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        list(OrderStatus::ALL.iter().map(|w| w.as_str()).collect()),
        list(TaskStatus::ALL.iter().map(|w| w.as_str()).collect()),
        list(TaskType::ALL.iter().map(|w| w.as_str()).collect()),
        list(Priority::ALL.iter().map(|w| w.as_str()).collect()),
        list(WorkerStatus::ALL.iter().map(|w| w.as_str()).collect()),
        list(SessionStatus::ALL.iter().map(|w| w.as_str()).collect()),
        list(EndReason::ALL.iter().map(|w| w.as_str()).collect()),
        list(ExecutionStatus::ALL.iter().map(|w| w.as_str()).collect()),
    ] {
        assert!(flat.contains(&words), "the schema lacks {words}");
    }
}
