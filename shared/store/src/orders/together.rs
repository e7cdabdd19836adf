//! Completions that come at the same time are recorded together.
//!
//! The first one goes at once, alone; those that come while it is being recorded go together when it is done. An idle
//! worker loses nothing by it, a busy fleet shares the round trips and the flush to disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{
    Order,
    complete::{Completion, complete_many},
};
use crate::{Backend, Result, Store, StoreError};

/// Completions in one transaction at most: few enough that it stays short.
const MOST: usize = 128;
/// Transactions at once on PostgreSQL: while one waits for the disk the other one works. SQLite has one writer.
const AT_ONCE: usize = 2;

/// The completions of one store that wait for a transaction. Bounded by the number of callers that wait for their outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct Together(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Vec<Waiting>,
    running: usize,
}

#[derive(Debug)]
struct Waiting {
    completion: Completion,
    outcome: oneshot::Sender<Result<Order>>,
}

impl Together {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change is one step: a panic elsewhere leaves nothing half-done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records a completion, together with others that come meanwhile. It goes on when the caller is dropped.
pub(super) async fn complete(store: &Store, completion: Completion) -> Result<Order> {
    let (outcome, told) = oneshot::channel();
    let together = store.together();
    let start = {
        let mut inner = together.inner();
        inner.waiting.push(Waiting { completion, outcome });
        let most = if store.backend() == Backend::Postgres { AT_ONCE } else { 1 };
        let start = inner.running < most;
        inner.running += usize::from(start);
        start
    };
    if start {
        tokio::spawn(record_all(store.clone()));
    }
    told.await.unwrap_or_else(|_| Err(StoreError::corrupt("completions", "the recorder ended")))
}

/// Records what waits until nothing does.
async fn record_all(store: Store) {
    let mut recorder = Recorder { together: store.together().clone(), counted: true };
    loop {
        let waiting = recorder.next();
        if waiting.is_empty() {
            return;
        }
        record(&store, waiting).await;
    }
}

/// One of those that record. One that panics or ends with its runtime is counted out as well.
struct Recorder {
    together: Together,
    counted: bool,
}

impl Recorder {
    /// The next completions to record; without any, this recorder is counted out, so that the next caller starts one.
    fn next(&mut self) -> Vec<Waiting> {
        let mut inner = self.together.inner();
        let count = inner.waiting.len().min(MOST);
        if count == 0 {
            inner.running -= 1;
            self.counted = false;
        }
        inner.waiting.drain(..count).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.counted {
            self.together.inner().running -= 1;
        }
    }
}

async fn record(store: &Store, waiting: Vec<Waiting>) {
    let (completions, outcomes): (Vec<_>, Vec<_>) =
        waiting.into_iter().map(|waiting| (waiting.completion, waiting.outcome)).unzip();
    for (outcome, recorded) in outcomes.into_iter().zip(complete_many(store, &completions).await) {
        // A caller that went away does not want to know.
        let _ = outcome.send(recorded);
    }
}
