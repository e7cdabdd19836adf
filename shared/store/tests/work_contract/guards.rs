//! What the schema refuses, whoever asks; and what never reaches it.

use serde_json::json;
use shopfloor_domain::{
    message::{MessageType, SenderType},
    question::{OnDeadline, QuestionKind, QuestionStatus},
    role::Role,
    step::{StepKind, StepStatus},
};
use shopfloor_store::{
    PageRequest, Result, StoreError, files, keys, messages,
    orders::{self, Verdict},
    questions,
    tasks::{self, NewTask, TaskFilter, TaskPatch},
};
use shopfloor_testkit::{T0, TestStore, new_task};

use super::common::{asked, at, count, new_question, raw, sql, submit};

const SCHEMA: &str = include_str!("../../../../migrations/src/m0002_work.sql");

pub(crate) async fn the_schema_knows_the_words_of_the_domain(_store: &TestStore) {
    let words = |words: &[&'static str]| format!("('{}')", words.join("', '"));
    macro_rules! listed {
        ($($column:literal: $kind:ty),+ $(,)?) => {[$((
            $column,
            words(&<$kind>::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>()),
        )),+]};
    }
    let schema: String = SCHEMA.split_whitespace().collect::<Vec<_>>().join(" ");
    for (column, words) in listed! {
        "kind": StepKind,
        "status": StepStatus,
        "kind": QuestionKind,
        "status": QuestionStatus,
        "on_deadline": OnDeadline,
        "sender_type": SenderType,
        "message_type": MessageType,
        "role": Role,
    } {
        let check = format!("CHECK ({column} IN {words})");
        assert!(schema.contains(&check), "{check}");
    }
}

pub(crate) async fn the_schema_refuses_impossible_rows(store: &TestStore) {
    let (held, _, _) = asked(store, new_question("Which?")).await;
    keys::create(store, "laptop", Role::Viewer, None, T0).await.unwrap();
    let db = raw(store).await;
    for change in [
        "steps SET status = 'lost'",
        "steps SET status = 'completed'",
        "steps SET status = 'failed', finished_at = 1",
        "steps SET finished_at = 1",
        "steps SET started_at = NULL",
        "steps SET epoch = 0",
        "steps SET error = 'x'",
        "questions SET status = 'answered'",
        "questions SET status = 'answered', next_rung_at = NULL",
        "questions SET answer = '1'",
        "questions SET answered_by = 'me'",
        "questions SET next_rung_at = NULL",
        "questions SET rung = 'top'",
        "messages SET sender_type = 'robot'",
        "api_keys SET role = 'god'",
        "api_keys SET hash = 'short'",
    ] {
        assert!(sql(&db, &format!("UPDATE {change}")).await.is_err(), "{change}");
    }
    assert_eq!(count(store, "questions", "status = 'open'").await, 1);
    orders::finish(store, held.fence(), Verdict::Cancelled, at(1)).await.unwrap();
}

fn is_invalid<T: std::fmt::Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(StoreError::Invalid { .. })), "{outcome:?}");
}

pub(crate) async fn nul_is_refused_before_it_reaches_the_database(store: &TestStore) {
    let nul = || "a\0b".to_owned();
    let good = || new_task("a task");
    for bad in [
        NewTask { title: nul(), ..good() },
        NewTask { description: nul(), ..good() },
        NewTask { repository_url: Some(nul()), ..good() },
        NewTask { branch_name: Some(nul()), ..good() },
        NewTask { input: json!({"code": [{"deep": nul()}]}), ..good() },
        NewTask { input: json!({nul(): 1}), ..good() },
        NewTask { idempotency_key: Some(nul()), ..good() },
        NewTask { created_by: nul(), ..good() },
    ] {
        is_invalid(tasks::submit_bulk(store, vec![good(), bad], T0).await);
    }
    assert_eq!(count(store, "tasks", "1 = 1").await, 0);
    let task = submit(store, good()).await.task;
    is_invalid(tasks::update(store, task.id, TaskPatch { title: Some(nul()), ..TaskPatch::default() }, T0).await);
    let filter = TaskFilter { text: Some(nul()), ..TaskFilter::default() };
    is_invalid(tasks::list(store, &filter, &PageRequest::default()).await);
    let message = messages::NewMessage {
        conversation_id: task.id.into(),
        sender_type: SenderType::Human,
        sender_id: "me".to_owned(),
        message: nul(),
        message_type: MessageType::Status,
        parent_message_id: None,
    };
    is_invalid(messages::post(store, message, T0).await);
    assert!(matches!(keys::create(store, &nul(), Role::Viewer, None, T0).await, Err(StoreError::Invalid { .. })));
    let stored = store.blobs().put("x".into()).await.unwrap();
    let file = files::NewFile {
        project: task.project,
        name: nul(),
        content_type: "text/plain".to_owned(),
        stored,
        created_by: "me".to_owned(),
    };
    is_invalid(files::create(store, file, T0).await);
    let (_, _, question) = asked(store, new_question("Wh\0ich?")).await;
    assert_eq!(question.prompt, "Wh\u{fffd}ich?");
    is_invalid(questions::answer(store, question.id, json!([nul()]), "me", T0).await);
}
