//! Ears armed before a look, kept until the worker that looked goes to sleep.
//!
//! A claim is the look and `wait` is the sleep, in two calls. What rings between them must be heard, so the claim arms the
//! ear and leaves it here under its worker's id.

use std::sync::{Arc, Mutex, PoisonError};

use shopfloor_domain::{Timestamp, WorkerId};
use shopfloor_store::Ear;
use tokio::time::Instant;

use crate::looks::Looks;

/// A look: the ear that was armed before it, and when it was.
#[derive(Debug)]
pub(crate) struct Look {
    /// Hears everything since before the look.
    pub(crate) ear: Ear,
    /// The time the look was given; `None` when there was no look.
    pub(crate) now: Option<Timestamp>,
    /// When that was on this process's clock.
    pub(crate) at: Instant,
}

/// The newest look of each worker, and when delayed orders were promoted last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Armed {
    looks: Looks<Look>,
    promoted: Arc<Mutex<Option<Timestamp>>>,
}

impl Armed {
    /// Notes that `worker` looked at `now`, with `ear` armed before.
    pub(crate) fn put(&self, worker: WorkerId, ear: Ear, now: Timestamp) {
        self.looks.put(worker, Look { ear, now: Some(now), at: Instant::now() });
    }

    /// Arms an ear for a worker that has not looked yet.
    pub(crate) fn put_blind(&self, worker: WorkerId, ear: Ear) {
        self.looks.put(worker, Look { ear, now: None, at: Instant::now() });
    }

    /// The newest look of `worker`, once.
    pub(crate) fn take(&self, worker: WorkerId) -> Option<Look> {
        self.looks.take(worker)
    }

    /// Notes a promotion at `now` and returns when the one before was: `now` itself for the first.
    pub(crate) fn promoted(&self, now: Timestamp) -> Timestamp {
        self.promoted.lock().unwrap_or_else(PoisonError::into_inner).replace(now).unwrap_or(now)
    }
}
