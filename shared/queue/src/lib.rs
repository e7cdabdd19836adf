//! Who is next: the [`Queue`] trait and its implementations, on SQL alone and on Redis beside it.
//!
//! The record (`shopfloor-store`) is the truth; a queue only says who is next and wakes who waits. Orders are written by
//! the record's own transactions and *published* here after commit. A queue may forget everything at any moment and be
//! refilled; publishing twice, or publishing an order that is not queued, does no harm.

use std::time::Duration;

use async_trait::async_trait;
use shopfloor_domain::{Fence, Name, OrderId, Timestamp, WorkerId, backoff::RetryPolicy};
use shopfloor_store::{
    Result,
    orders::{ClaimRequest, ClaimedOrder, Order, Place, QueueDepth, Renewed, Rescued, Verdict},
};

mod armed;
mod looks;
mod redis;
mod sql;

pub use redis::{Chosen, Dispatch, Fairness, Look, RedisQueue, RedisSettings, RedisUrlError};
pub use sql::SqlQueue;

/// How far a queue was from the record, and what was done about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// Queued orders that the queue did not know; they are published now.
    pub missing: u64,
    /// Whether the queue had to be filled from the record and is complete now.
    pub filled: bool,
}

/// Who is next.
///
/// Every implementation passes the same contract suite (`shopfloor_testkit::queue_contract`).
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// The dispatch mode, as the label of `shopfloor_dispatch_mode`: `sql` or `redis`.
    fn mode(&self) -> &'static str;

    /// Makes committed orders visible to claims and wakes waiting workers. Idempotent.
    async fn publish(&self, orders: &[OrderId], now: Timestamp) -> Result<()>;

    /// As [`Queue::publish`], for orders that were just written: where they belong is known and need not be looked up.
    async fn publish_new(&self, places: &[Place], now: Timestamp) -> Result<()> {
        let ids: Vec<OrderId> = places.iter().map(|place| place.id).collect();
        self.publish(&ids, now).await
    }

    /// Claims up to `request.limit` due orders, lowest score first; each comes with a fresh epoch.
    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<ClaimedOrder>>;

    /// Waits until something may have become claimable, at most `timeout`. Arms itself before its last look, so that no
    /// wake-up is lost; may return early. Cancel-safe.
    async fn wait(&self, request: &ClaimRequest, timeout: Duration);

    /// Renews the leases of `held`; the outcomes come in the same order.
    async fn renew(&self, worker: WorkerId, held: &[Fence], lease: Duration, now: Timestamp) -> Result<Vec<Renewed>>;

    /// Ends a claim. `Fenced` when it is no longer valid; nothing is written then.
    async fn finish(&self, fence: Fence, verdict: Verdict, now: Timestamp) -> Result<Order>;

    /// Takes back at most `limit` orders whose lease has run out. `draw` is the jitter, `0.0..=1.0`.
    async fn rescue(&self, policy: &RetryPolicy, draw: f64, limit: u32, now: Timestamp) -> Result<Vec<Rescued>>;

    /// Wakes workers for delayed orders that are due, and returns when the next one will be.
    async fn promote(&self, now: Timestamp) -> Result<Option<Timestamp>>;

    /// Forgets orders that are no longer queued or claimed (cancelled, say). Idempotent.
    async fn withdraw(&self, orders: &[OrderId]) -> Result<()>;

    /// Pauses a queue: claims pass it by; what runs goes on.
    async fn pause(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()>;

    /// Resumes a queue and wakes waiting workers.
    async fn resume(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()>;

    /// Depth per queue and priority.
    async fn depth(&self, now: Timestamp) -> Result<Vec<QueueDepth>>;

    /// Why dispatch is slower than it is meant to be; `None` when all is well.
    fn degraded(&self) -> Option<&'static str> {
        None
    }

    /// Holds the queue against the record and publishes what it does not know. A queue that has no state of its own
    /// cannot drift.
    async fn reconcile(&self, now: Timestamp) -> Result<Drift> {
        let _ = now;
        Ok(Drift::default())
    }
}
