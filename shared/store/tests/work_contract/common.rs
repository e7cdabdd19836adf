//! What the cases share.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use serde_json::{Value, json};
use shopfloor_domain::{
    TaskId, Timestamp,
    event::EventKind,
    question::{OnDeadline, QuestionKind},
    step::StepKind,
};
use shopfloor_store::{
    Store,
    events::{self, Cursor, Event, EventFilter},
    orders::{self, ClaimRequest, ClaimedOrder},
    questions::{NewQuestion, Question},
    steps::{self, BeginStep, Step},
    tasks::{self, NewTask, Submitted},
    workers,
};
use shopfloor_testkit::{T0, TestStore, new_task, soon, worker};

/// `T0` and so many seconds.
pub(crate) fn at(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

pub(crate) async fn submit(store: &Store, new: NewTask) -> Submitted {
    tasks::submit(store, new, T0).await.expect("submitting")
}

/// Claims the one order that waits, late enough for every order of these cases to be due.
pub(crate) async fn claim(store: &Store) -> ClaimedOrder {
    claim_at(store, at(1000)).await
}

/// Claims the one order that is due.
pub(crate) async fn claim_at(store: &Store, now: Timestamp) -> ClaimedOrder {
    let new = worker();
    let capabilities = new.capabilities.clone();
    let worker = workers::register(store, new, T0).await.expect("registering a worker");
    let lease = Duration::from_secs(8);
    let request = ClaimRequest { worker_id: worker.id, queues: Vec::new(), capabilities, limit: 1, lease };
    let mut claimed = orders::claim(store, &request, now).await.expect("claiming");
    claimed.pop().expect("an order to claim")
}

/// A submitted and claimed order.
pub(crate) async fn claimed(store: &Store) -> ClaimedOrder {
    submit(store, new_task("a task")).await;
    claim(store).await
}

pub(crate) fn place(order_index: u32, name: &str, kind: StepKind) -> BeginStep {
    BeginStep { order_index, name: name.to_owned(), kind, agent_name: None, round: 0, input: json!({"n": order_index}) }
}

/// A step that was begun.
pub(crate) async fn begun(store: &Store, held: &ClaimedOrder, order_index: u32, kind: StepKind) -> Step {
    let begin = place(order_index, "step", kind);
    steps::begin(store, held.fence(), held.order.run_id, begin, T0).await.expect("beginning a step")
}

/// A question with a hundred seconds, for free text, without a default.
pub(crate) fn new_question(prompt: &str) -> NewQuestion {
    NewQuestion {
        kind: QuestionKind::Clarification,
        prompt: prompt.to_owned(),
        schema: Value::Null,
        options: Vec::new(),
        audience: "operators".to_owned(),
        default: None,
        on_deadline: OnDeadline::Reject,
        deadline_at: at(100),
    }
}

/// A claimed order with a step that waits for an answer.
pub(crate) async fn asked(store: &Store, new: NewQuestion) -> (ClaimedOrder, Step, Question) {
    let held = claimed(store).await;
    let kind = if new.kind == QuestionKind::Approval { StepKind::Approval } else { StepKind::Ask };
    let step = begun(store, &held, 0, kind).await;
    let question = steps::ask(store, held.fence(), step.id, new, T0).await.expect("asking");
    (held, step, question)
}

/// All that the log tells of a task, once nothing of it is held back by older transactions any more.
pub(crate) async fn history(store: &TestStore, task: TaskId) -> Vec<Event> {
    let of_task = format!("task_id = {}", literal(store, task));
    // An entry may tell a second event.
    let second = "(kind = 'task.submitted' OR kind = 'order.status' AND CAST(payload AS TEXT) LIKE '%\"task\":%')";
    let expected =
        count(store, "events", &of_task).await + count(store, "events", &format!("{of_task} AND {second}")).await;
    let filter = EventFilter { task_id: Some(task), kinds: Vec::new() };
    seen(store, filter, expected).await
}

/// The first `expected` events that the filter lets through, waited for.
pub(crate) async fn seen(store: &Store, filter: EventFilter, expected: usize) -> Vec<Event> {
    let looking = async {
        loop {
            let events = events::read(store, Cursor::START, &filter, 1000).await.expect("reading events");
            if events.len() >= expected {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the events", looking).await
}

pub(crate) fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

/// An id as this database writes it in SQL.
pub(crate) fn literal(store: &Store, id: TaskId) -> String {
    match store.backend() {
        shopfloor_store::Backend::Postgres => format!("'{id}'"),
        shopfloor_store::Backend::Sqlite => format!("x'{}'", id.0.simple()),
    }
}

/// A connection past the store, to do and see what the store never would.
pub(crate) async fn raw(store: &TestStore) -> DatabaseConnection {
    let mut options = ConnectOptions::new(store.settings().database_url.clone());
    options.max_connections(1);
    Database::connect(options).await.expect("connecting past the store")
}

/// Runs statements past the store.
pub(crate) async fn sql(db: &DatabaseConnection, sql: &str) -> Result<u64, DbErr> {
    db.execute_unprepared(sql).await.map(|done| done.rows_affected())
}

/// How many rows there are, past the store.
pub(crate) async fn count(store: &TestStore, table: &str, condition: &str) -> usize {
    let db = raw(store).await;
    let sql = format!("SELECT count(*) AS number FROM {table} WHERE {condition}");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("counting");
    let number = row.expect("a row").try_get::<i64>("", "number").expect("a number");
    usize::try_from(number).expect("not negative")
}
