//! A queue whose claims and verdicts fail at first, as if the database were out of reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shopfloor_domain::{Fence, Name, OrderId, Timestamp, WorkerId, backoff::RetryPolicy};
use shopfloor_queue::Queue;
use shopfloor_store::{
    Result, Settings, Store, StoreError,
    orders::{ClaimRequest, ClaimedOrder, Order, QueueDepth, Renewed, Rescued, Verdict},
};

pub(super) struct Flaky {
    inner: Arc<dyn Queue>,
    claims: AtomicU32,
    verdicts: AtomicU32,
}

impl Flaky {
    /// Fails the first `failures` claims and the first `failures` verdicts.
    pub(super) fn new(inner: Arc<dyn Queue>, failures: u32) -> Arc<Self> {
        Arc::new(Self { inner, claims: AtomicU32::new(failures), verdicts: AtomicU32::new(failures) })
    }

    pub(super) fn failures_left(&self) -> u32 {
        self.claims.load(Ordering::SeqCst) + self.verdicts.load(Ordering::SeqCst)
    }
}

fn fails(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// What the store says about a database that is not there.
async fn out_of_reach() -> StoreError {
    // A folder where the database file should be cannot be opened, not even by root.
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Settings {
        database_url: format!("sqlite://{}", folder.path().display()),
        blob_dir: folder.path().to_owned(),
        max_connections: 1,
    };
    let error = Store::connect(&nowhere).await.map(drop).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    error
}

#[async_trait]
impl Queue for Flaky {
    fn mode(&self) -> &'static str {
        self.inner.mode()
    }
    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<ClaimedOrder>> {
        if fails(&self.claims) { Err(out_of_reach().await) } else { self.inner.claim(request, now).await }
    }
    async fn finish(&self, fence: Fence, verdict: Verdict, now: Timestamp) -> Result<Order> {
        if fails(&self.verdicts) { Err(out_of_reach().await) } else { self.inner.finish(fence, verdict, now).await }
    }
    async fn publish(&self, orders: &[OrderId], now: Timestamp) -> Result<()> {
        self.inner.publish(orders, now).await
    }
    async fn wait(&self, request: &ClaimRequest, timeout: Duration) {
        self.inner.wait(request, timeout).await;
    }
    async fn renew(&self, worker: WorkerId, held: &[Fence], lease: Duration, now: Timestamp) -> Result<Vec<Renewed>> {
        self.inner.renew(worker, held, lease, now).await
    }
    async fn rescue(&self, policy: &RetryPolicy, draw: f64, limit: u32, now: Timestamp) -> Result<Vec<Rescued>> {
        self.inner.rescue(policy, draw, limit, now).await
    }
    async fn promote(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.inner.promote(now).await
    }
    async fn withdraw(&self, orders: &[OrderId]) -> Result<()> {
        self.inner.withdraw(orders).await
    }
    async fn pause(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        self.inner.pause(queue, by, now).await
    }
    async fn resume(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        self.inner.resume(queue, by, now).await
    }
    async fn depth(&self, now: Timestamp) -> Result<Vec<QueueDepth>> {
        self.inner.depth(now).await
    }
}
