//! The event log and its cursor.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::json;
use shopfloor_domain::{
    EventId,
    event::EventKind,
    message::{MessageType, SenderType},
};
use shopfloor_store::{
    Backend,
    events::{self, Cursor, EventFilter},
    messages::{self, NewMessage},
};
use shopfloor_testkit::{T0, TestStore, new_task, soon};

use super::common::{at, claimed, count, history, kinds, raw, seen, sql, submit};

pub(crate) async fn a_resuming_reader_misses_nothing_while_many_write(store: &TestStore) {
    const WRITERS: u64 = 8;
    const EACH: u64 = 10;
    let other = store.reopen().await;
    let tasks = join_all((0..WRITERS).map(|_| submit(store, new_task("a task")))).await;
    let writing = tasks.iter().enumerate().map(|(n, submitted)| {
        let store = if n % 2 == 0 { store } else { &other };
        async move {
            for number in 0..EACH {
                let message = NewMessage {
                    conversation_id: submitted.task.id.into(),
                    sender_type: SenderType::Human,
                    sender_id: "me".to_owned(),
                    message: "Hello".to_owned(),
                    message_type: MessageType::Status,
                    parent_message_id: None,
                };
                messages::post(store, message, at(number)).await.unwrap();
            }
        }
    });
    let reading = async {
        let expected = usize::try_from(WRITERS * (EACH + 2)).unwrap();
        let mut cursor = Cursor::START;
        let mut read: Vec<(Cursor, EventId)> = Vec::new();
        while read.len() < expected {
            // Small batches and a cursor that goes through its text form: a reader that reconnects all the time.
            let batch = events::read(store, cursor.to_string().parse().unwrap(), &EventFilter::default(), 3).await;
            let batch = batch.unwrap();
            if batch.is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            cursor = batch.last().map_or(cursor, |event| event.cursor);
            read.extend(batch.into_iter().map(|event| (event.cursor, event.id)));
        }
        read
    };
    let (read, _) = tokio::join!(soon("every event", reading), join_all(writing));
    assert!(read.is_sorted_by(|a, b| a.0 < b.0));
    // The entry of a submission tells of the order's birth as well.
    let entries = count(store, "events", "1 = 1").await;
    assert_eq!(read.len(), entries + count(store, "events", "kind = 'task.submitted'").await);
    assert_eq!(read.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len(), read.len());
}

pub(crate) async fn a_late_commit_is_not_passed_over(store: &TestStore) {
    if store.backend() == Backend::Sqlite {
        // One writer at a time: no transaction can commit between another one's writes and its commit.
        return;
    }
    let db = raw(store).await;
    let slow = db.begin().await.unwrap();
    let insert = "INSERT INTO events (id, kind, payload, created_at) \
                  VALUES ('00000000-0000-0000-0000-000000000001', 'queue.status', '{}', 0)";
    slow.execute_unprepared(insert).await.unwrap();
    let fast = submit(store, new_task("a task")).await;
    // The later transaction has committed, and its events have larger numbers. They must wait for the older one.
    let all = EventFilter::default();
    assert_eq!(events::read(store, Cursor::START, &all, 10).await.unwrap(), []);
    assert_eq!(events::tail(store).await.unwrap(), Cursor::START);
    slow.commit().await.unwrap();
    let read = seen(store, all, 3).await;
    assert_eq!(kinds(&read), [EventKind::QueueStatus, EventKind::TaskSubmitted, EventKind::OrderStatus]);
    assert_eq!(read[1].task_id, Some(fast.task.id));
    assert_eq!(events::tail(store).await.unwrap(), read[2].cursor);
}

pub(crate) async fn the_log_is_filtered_by_task_and_kind(store: &TestStore) {
    let one = submit(store, new_task("one")).await.task.id;
    let two = submit(store, new_task("two")).await.task.id;
    let of_both = seen(store, EventFilter::default(), 4).await;
    assert_eq!(of_both.iter().filter(|event| event.task_id == Some(one)).count(), 2);
    let submitted = EventFilter { task_id: None, kinds: vec![EventKind::TaskSubmitted] };
    let titles: Vec<_> = seen(store, submitted, 2).await.into_iter().map(|event| event.task_id).collect();
    assert_eq!(titles, [Some(one), Some(two)]);
    let narrow = EventFilter { task_id: Some(two), kinds: vec![EventKind::OrderStatus, EventKind::StepStatus] };
    let narrow = seen(store, narrow, 1).await;
    assert_eq!((kinds(&narrow), narrow[0].task_id), (vec![EventKind::OrderStatus], Some(two)));
    let rest = events::read(store, of_both[2].cursor, &EventFilter::default(), 10).await.unwrap();
    assert_eq!(rest, of_both[3..]);
    assert_eq!(events::tail(store).await.unwrap(), of_both[3].cursor);
}

pub(crate) async fn only_the_holder_appends(store: &TestStore) {
    let held = claimed(store).await;
    let lines = (0..3).map(|n| json!({"stream": "stdout", "text": format!("line {n}\0")})).collect();
    events::append(store, held.fence(), EventKind::StepOutput, lines, at(1)).await.unwrap();
    let told: Vec<_> = history(store, held.order.task_id)
        .await
        .into_iter()
        .filter(|event| event.kind == EventKind::StepOutput)
        .map(|event| event.payload["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["line 0\u{fffd}", "line 1\u{fffd}", "line 2\u{fffd}"]);
}

pub(crate) async fn kinds_of_a_newer_version_are_passed_over(store: &TestStore) {
    let db = raw(store).await;
    let id = match store.backend() {
        Backend::Postgres => "'00000000-0000-0000-0000-000000000001'",
        Backend::Sqlite => "x'00000000000000000000000000000001'",
    };
    let insert =
        format!("INSERT INTO events (id, kind, payload, created_at) VALUES ({id}, 'moon.landed', '{{}}', {})", T0.0);
    sql(&db, &insert).await.unwrap();
    let task = submit(store, new_task("a task")).await.task.id;
    let read = seen(store, EventFilter::default(), 2).await;
    assert_eq!(kinds(&read), [EventKind::TaskSubmitted, EventKind::OrderStatus]);
    assert_eq!(read[0].task_id, Some(task));
}
