//! Transactions: begin, collect events and wake-up calls, commit, then ring.

use std::{
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use shopfloor_domain::{OrderId, TaskId, Timestamp, event::EventKind};

use crate::{Backend, Result, Store, error::Doing as _, error::is_collision, events};

/// How often a transaction is tried that collides with another one.
const TRIES: u32 = 6;

/// An entry of the event log that is to be written with the transaction.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) kind: EventKind,
    pub(crate) task_id: Option<TaskId>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) payload: serde_json::Value,
    pub(crate) now: Timestamp,
}

/// A writing transaction. Dropped without [`Tx::commit`], it is rolled back, and neither events nor bells leave it.
///
/// Lock rows in one order everywhere: order, then task, run, steps, questions, sessions, executions; a project's row last.
pub(crate) struct Tx {
    db: DatabaseTransaction,
    store: Store,
    doing: &'static str,
    events: Mutex<Vec<NewEvent>>,
    ring_orders: AtomicBool,
    ring_events: AtomicBool,
}

impl Store {
    /// Begins a writing transaction. On SQLite it takes the write lock at once, so that a read in it stays true until its
    /// commit. Never use [`Store::read`] while it is open: an in-memory database has one connection only.
    pub(crate) async fn begin(&self, doing: &'static str) -> Result<Tx> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let db = begin_whole(self.writer(), options).await.doing(doing)?;
        Ok(Tx {
            db,
            store: self.clone(),
            doing,
            events: Mutex::default(),
            ring_orders: AtomicBool::new(false),
            ring_events: AtomicBool::new(false),
        })
    }

    /// Begins a reading transaction that sees one state of the record throughout. Let it drop when done.
    pub(crate) async fn snapshot(&self, doing: &'static str) -> Result<DatabaseTransaction> {
        let options = match self.backend() {
            Backend::Sqlite => TransactionOptions::default(),
            Backend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        begin_whole(self.read(), options).await.doing(doing)
    }
}

/// Begins a transaction on a task of its own, so that it is begun to its end even when the caller is dropped meanwhile (a
/// client that hung up, a time-out). sqlx 0.9 forgets a BEGIN that was sent and not waited for: the connection goes back
/// to the pool inside a transaction that nobody knows of, and what is written on it next is kept only if the connection
/// happens to commit later.
pub(crate) async fn begin_whole(
    db: &DatabaseConnection,
    options: TransactionOptions,
) -> std::result::Result<DatabaseTransaction, DbErr> {
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin_with_options(options).await });
    match begun.await {
        Ok(begun) => begun,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels it.
            Err(_) => Err(DbErr::Custom("the runtime ended while a transaction was being begun".to_owned())),
        },
    }
}

impl Tx {
    /// The connection, for SeaORM.
    pub(crate) fn db(&self) -> &DatabaseTransaction {
        &self.db
    }

    /// Which database this is.
    pub(crate) fn backend(&self) -> Backend {
        self.store.backend()
    }

    /// Writes an entry of the event log with this transaction. They are written together, just before the commit.
    pub(crate) fn event(
        &self,
        kind: EventKind,
        task_id: Option<TaskId>,
        order_id: Option<OrderId>,
        payload: serde_json::Value,
        now: Timestamp,
    ) {
        let event = NewEvent { kind, task_id, order_id, payload, now };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Notes that a statement of this transaction wrote to the event log by itself: the events' bell rings on commit.
    pub(crate) fn events_were_written(&self) {
        self.ring_events.store(true, Ordering::Relaxed);
    }

    /// Rings the orders' bell after the commit: an order may have become claimable.
    pub(crate) fn ring_orders(&self) {
        self.ring_orders.store(true, Ordering::Relaxed);
    }

    /// Writes the collected events, commits, and rings.
    pub(crate) async fn commit(self) -> Result<()> {
        let events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        let any_event = !events.is_empty() || self.ring_events.load(Ordering::Relaxed);
        events::insert_all(&self, events).await?;
        self.db.commit().await.doing(self.doing)?;
        if self.ring_orders.load(Ordering::Relaxed) {
            self.store.announce_orders();
        }
        if any_event {
            self.store.announce_events();
        }
        Ok(())
    }
}

/// Runs a whole transaction, again when it collided with another one (deadlock, serialization failure, busy database):
/// then nothing of it was kept. Other errors are returned at once.
pub(crate) async fn retrying<T, F, Fut>(mut transaction: F) -> Result<T>
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<T>> + Send,
{
    let mut tries = 1;
    loop {
        match transaction().await {
            Err(error) if tries < TRIES && is_collision(&error) => {
                tracing::debug!(
                    tries,
                    error = &error as &dyn std::error::Error,
                    "A transaction collided, trying again"
                );
                tokio::time::sleep(pause(tries)).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Longer from try to try, and different for each of those that collided.
fn pause(tries: u32) -> Duration {
    Duration::from_millis(rand::rng().random_range(1..=10 * 2_u64.pow(tries)))
}
