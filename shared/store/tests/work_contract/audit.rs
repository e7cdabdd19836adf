//! The audit log.

use futures::future::join_all;
use serde_json::json;
use shopfloor_domain::role::Role;
use shopfloor_store::{Backend, PageRequest, StoreError, audit, keys, questions, tasks};
use shopfloor_testkit::{T0, TestStore, new_task};

use super::common::{asked, at, new_question, raw, sql, submit};

pub(crate) async fn who_did_what_is_kept(store: &TestStore) {
    assert_eq!(audit::verify(store).await.unwrap(), 0);
    let task = submit(store, new_task("a task")).await.task.id;
    tasks::cancel(store, task, "key:me", at(1)).await.unwrap();
    tasks::retry(store, task, "key:you", at(2)).await.unwrap();
    let key = keys::create_as(store, "key:me", "laptop", Role::Viewer, None, at(3)).await.unwrap().key;
    keys::revoke(store, key.id, at(4)).await.unwrap();
    assert_eq!(audit::verify(store).await.unwrap(), 4);
    let mut request = PageRequest { after: None, limit: 3 };
    let first = audit::list(store, &request).await.unwrap();
    request.after = first.next.clone();
    let second = audit::list(store, &request).await.unwrap();
    assert_eq!(second.next, None);
    let entries: Vec<_> = first.items.into_iter().chain(second.items).collect();
    let told: Vec<_> = entries.iter().map(|e| (e.seq, e.event_type.as_str(), e.actor.as_str())).collect();
    let expected = [
        (4, "key.revoked", "system"),
        (3, "key.created", "key:me"),
        (2, "task.retried", "key:you"),
        (1, "task.cancelled", "key:me"),
    ];
    assert_eq!(told, expected);
    assert_eq!(entries[3].payload["task_id"], json!(task));
    assert_eq!(entries[2].prev_hash, entries[3].hash);
}

pub(crate) async fn entries_cannot_be_changed_or_deleted(store: &TestStore) {
    keys::create(store, "laptop", Role::Viewer, None, T0).await.unwrap();
    let db = raw(store).await;
    for attempt in ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events"] {
        let refused = sql(&db, attempt).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    if store.backend() == Backend::Postgres {
        assert!(sql(&db, "TRUNCATE audit_events").await.is_err());
    }
    assert_eq!(audit::verify(store).await.unwrap(), 1);
}

pub(crate) async fn tampering_is_noticed(store: &TestStore) {
    for n in 0..4 {
        keys::create(store, "laptop", Role::Viewer, None, at(n)).await.unwrap();
    }
    let db = raw(store).await;
    let unguard = match store.backend() {
        Backend::Postgres => "DROP TRIGGER audit_events_stay ON audit_events",
        Backend::Sqlite => "DROP TRIGGER audit_events_stay; DROP TRIGGER audit_events_stay_as_written",
    };
    sql(&db, unguard).await.unwrap();
    let cases = [
        ("SET actor = 'nobody' WHERE seq = 2", "entry 2 was changed"),
        ("SET payload = '{}' WHERE seq = 3", "entry 3 was changed"),
        ("SET created_at = created_at + 1 WHERE seq = 1", "entry 1 was changed"),
        ("SET prev_hash = hash WHERE seq = 4", "entry 4 does not follow"),
        ("SET seq = 9 WHERE seq = 2", "entry 2 is missing"),
    ];
    sql(&db, "CREATE TABLE kept AS SELECT * FROM audit_events").await.unwrap();
    for (tamper, problem) in cases {
        sql(&db, &format!("UPDATE audit_events {tamper}")).await.unwrap();
        let noticed = audit::verify(store).await;
        let Err(StoreError::Corrupt { problem: found, .. }) = &noticed else { panic!("{tamper}: {noticed:?}") };
        assert!(found.contains(problem), "{found}");
        sql(&db, "DELETE FROM audit_events; INSERT INTO audit_events SELECT * FROM kept").await.unwrap();
        assert_eq!(audit::verify(store).await.unwrap(), 4);
    }
    sql(&db, "DELETE FROM audit_events WHERE seq = 2").await.unwrap();
    assert!(audit::verify(store).await.unwrap_err().to_string().contains("entry 2 is missing"));
}

pub(crate) async fn many_writers_make_one_chain(store: &TestStore) {
    let other = store.reopen().await;
    let writers = (0..20).map(|n| {
        let store = if n % 2 == 0 { store } else { &other };
        keys::create(store, "laptop", Role::Viewer, None, at(n))
    });
    for made in join_all(writers).await {
        made.unwrap();
    }
    assert_eq!(audit::verify(store).await.unwrap(), 20);
}

pub(crate) async fn numbers_survive_the_log_unchanged(store: &TestStore) {
    for number in [json!(-0.0), json!(1e300), json!(0.1), json!(5e-324), json!(u64::MAX), json!(123_456_789.123_456_79)]
    {
        let (_, _, question) = asked(store, new_question("How much?")).await;
        questions::answer(store, question.id, json!({"n": number}), "me", at(1)).await.unwrap();
    }
    assert_eq!(audit::verify(store).await.unwrap(), 6);
}
