//! The orders in a worker's hands, from the claim to the verdict.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use shopfloor_domain::{Fence, worker::WorkerStatus};
use shopfloor_store::{Bell, orders::ClaimedOrder};
use shopfloor_telemetry::Metrics;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why work on an order must stop. The first reason stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is no longer this worker's: write nothing more.
    Lost,
    /// Somebody asked for its cancellation.
    Cancelled,
    /// The worker stops.
    Drain,
    /// It took longer than any order may.
    Overtime,
}

/// One order in hand.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) claim: ClaimedOrder,
    stop: CancellationToken,
    drain: CancellationToken,
    why: OnceLock<Why>,
    waiting: AtomicBool,
    concluding: AtomicBool,
    /// Until when nobody else may have it, on this process's monotonic clock.
    lease_until: Mutex<Instant>,
    bell: Bell,
}

impl Held {
    pub(crate) fn fence(&self) -> Fence {
        self.claim.fence()
    }

    /// Cancelled when the work must stop.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Cancelled when the worker is about to stop: nothing should be waited for any more.
    pub(crate) fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// Why it must stop; `None` while it may go on.
    pub(crate) fn why(&self) -> Option<Why> {
        self.why.get().copied()
    }

    /// Tells the work to stop. Says whether this was the first call.
    pub(crate) fn halt(&self, why: Why) -> bool {
        let first = self.why.set(why).is_ok();
        self.stop.cancel();
        first
    }

    /// Notes that the verdict is being written: there is nothing left to stop.
    pub(crate) fn conclude(&self) {
        self.concluding.store(true, Ordering::Release);
    }

    pub(crate) fn is_concluding(&self) -> bool {
        self.concluding.load(Ordering::Acquire)
    }

    pub(crate) fn lease_until(&self) -> Instant {
        *lock(&self.lease_until)
    }

    pub(crate) fn renewed(&self, until: Instant) {
        *lock(&self.lease_until) = until;
    }

    /// Marks it as waiting for a person until the guard is dropped.
    pub(crate) fn waiting(&self) -> Waiting<'_> {
        self.set_waiting(true);
        Waiting(self)
    }

    fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Release);
        self.bell.ring();
    }
}

/// While it lives, its order waits for a person.
#[derive(Debug)]
pub(crate) struct Waiting<'h>(&'h Held);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set_waiting(false);
    }
}

/// All orders in a worker's hands, never more than it has slots.
#[derive(Debug)]
pub(crate) struct Hands {
    slots: u32,
    drain: CancellationToken,
    orders: Mutex<HashMap<Fence, Arc<Held>>>,
    /// Rung at every change of what [`Hands::status`] says.
    bell: Bell,
    metrics: Metrics,
}

impl Hands {
    pub(crate) fn new(slots: u32, metrics: Metrics, drain: CancellationToken) -> Arc<Self> {
        metrics.worker_slots.with_label_values(&["free"]).add(i64::from(slots));
        Arc::new(Self { slots, drain, orders: Mutex::default(), bell: Bell::default(), metrics })
    }

    /// How many more orders fit in.
    pub(crate) fn free(&self) -> u32 {
        let held = u32::try_from(lock(&self.orders).len()).unwrap_or(u32::MAX);
        self.slots.saturating_sub(held)
    }

    pub(crate) fn take(&self, claim: ClaimedOrder, lease_until: Instant) -> Arc<Held> {
        let held = Arc::new(Held {
            stop: CancellationToken::new(),
            drain: self.drain.clone(),
            why: OnceLock::new(),
            waiting: AtomicBool::new(false),
            concluding: AtomicBool::new(false),
            lease_until: Mutex::new(lease_until),
            bell: self.bell.clone(),
            claim,
        });
        if lock(&self.orders).insert(held.fence(), Arc::clone(&held)).is_none() {
            self.busy(1);
        }
        held
    }

    pub(crate) fn let_go(&self, fence: Fence) {
        if lock(&self.orders).remove(&fence).is_some() {
            self.busy(-1);
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Held>> {
        lock(&self.orders).values().map(Arc::clone).collect()
    }

    /// What the worker says of itself.
    pub(crate) fn status(&self) -> WorkerStatus {
        let orders = lock(&self.orders);
        if orders.is_empty() {
            WorkerStatus::Idle
        } else if orders.values().all(|held| held.waiting.load(Ordering::Acquire)) {
            WorkerStatus::Waiting
        } else {
            WorkerStatus::Busy
        }
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    fn busy(&self, more: i64) {
        self.metrics.worker_slots.with_label_values(&["busy"]).add(more);
        self.metrics.worker_slots.with_label_values(&["free"]).sub(more);
        self.bell.ring();
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        let busy = i64::try_from(lock(&self.orders).len()).unwrap_or_default();
        self.metrics.worker_slots.with_label_values(&["busy"]).sub(busy);
        self.metrics.worker_slots.with_label_values(&["free"]).sub(i64::from(self.slots) - busy);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one call: a panic elsewhere leaves nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
