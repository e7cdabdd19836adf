//! The queue on SQL alone: PostgreSQL or SQLite, whichever holds the record.

use std::time::Duration;

use async_trait::async_trait;
use shopfloor_domain::{Fence, Name, OrderId, Timestamp, WorkerId, backoff::RetryPolicy, order::OrderStatus};
use shopfloor_store::{
    Result, Store,
    orders::{self, ClaimRequest, ClaimedOrder, Order, QueueDepth, Renewed, Rescued, Verdict},
    queues,
};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::{
    Queue,
    armed::{Armed, Look},
};

/// Dispatch straight from the record. Wake-up by the store's bell, which `NOTIFY` rings across processes on PostgreSQL;
/// polling is only the safety net.
#[derive(Debug, Clone)]
pub struct SqlQueue {
    store: Store,
    armed: Armed,
}

impl SqlQueue {
    /// A queue on this record.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, armed: Armed::default() }
    }

    /// When the first order is due that was delayed at the time of `look`.
    async fn next_due(&self, look: &Look) -> Option<Instant> {
        let looked_at = look.now?;
        match orders::next_due(&self.store, looked_at).await {
            Ok(due) => due.map(|due| look.at + due.since(looked_at)),
            Err(error) => {
                warn!(%error, "Cannot see when the next order is due; waiting for the bell or the timeout");
                None
            }
        }
    }

    fn wake(&self) {
        self.store.orders_bell().ring();
    }
}

#[async_trait]
impl Queue for SqlQueue {
    fn mode(&self) -> &'static str {
        "sql"
    }

    async fn publish(&self, orders: &[OrderId], _now: Timestamp) -> Result<()> {
        // The row is what makes an order claimable; there is only somebody to wake.
        if !orders.is_empty() {
            self.wake();
        }
        Ok(())
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<ClaimedOrder>> {
        let ear = self.store.orders_bell().ear();
        let claimed = orders::claim(&self.store, request, now).await?;
        self.armed.put(request.worker_id, ear, now);
        Ok(claimed)
    }

    async fn wait(&self, request: &ClaimRequest, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let Some(mut look) = self.armed.take(request.worker_id) else {
            // Nobody has looked for this worker since its last wake-up: let it look first.
            self.armed.put_blind(request.worker_id, self.store.orders_bell().ear());
            return;
        };
        let called = async {
            match self.next_due(&look).await {
                None => look.ear.heard().await,
                Some(due) => {
                    tokio::select! {
                        () = look.ear.heard() => {}
                        () = sleep_until(due) => {}
                    }
                }
            }
        };
        // The timeout is a normal end: the caller looks again either way.
        let _ = tokio::time::timeout_at(deadline, called).await;
    }

    async fn renew(&self, worker: WorkerId, held: &[Fence], lease: Duration, now: Timestamp) -> Result<Vec<Renewed>> {
        orders::renew(&self.store, worker, held, lease, now).await
    }

    async fn finish(&self, fence: Fence, verdict: Verdict, now: Timestamp) -> Result<Order> {
        let order = orders::finish(&self.store, fence, verdict, now).await?;
        if order.status == OrderStatus::Queued {
            self.wake();
        }
        Ok(order)
    }

    async fn rescue(&self, policy: &RetryPolicy, draw: f64, limit: u32, now: Timestamp) -> Result<Vec<Rescued>> {
        let rescued = orders::rescue(&self.store, policy, draw, limit, now).await?;
        if !rescued.is_empty() {
            self.wake();
        }
        Ok(rescued)
    }

    async fn promote(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        // A due order is claimable without being moved. Sleepers know their next due time; this wakes those that fell
        // asleep before an order with an earlier one came from a process that could not ring for them.
        let since = self.armed.promoted(now);
        let came_due = orders::next_due(&self.store, since).await?.is_some_and(|due| due <= now);
        if came_due {
            self.wake();
        }
        orders::next_due(&self.store, now).await
    }

    async fn withdraw(&self, _orders: &[OrderId]) -> Result<()> {
        Ok(())
    }

    async fn pause(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        queues::pause(&self.store, queue, by, now).await.map(drop)
    }

    async fn resume(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        queues::resume(&self.store, queue, by, now).await?;
        self.wake();
        Ok(())
    }

    async fn depth(&self, now: Timestamp) -> Result<Vec<QueueDepth>> {
        orders::depth(&self.store, now).await
    }
}
