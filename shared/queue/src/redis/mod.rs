//! The queue on Redis: it says who is next and wakes who waits; the record decides.
//!
//! Redis holds ids, scores and who waits, nothing else. Its choice is a proposal: `orders::admit` makes the claim true
//! in one transaction of the record, which checks state, pause and project limit and mints the epoch. Therefore Redis can
//! be emptied, restarted or wrong at any moment and only speed is lost. While it is away, or not known to be complete,
//! every call is answered by [`SqlQueue`]. Leases, attempts and limits live in the record only.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::{
    Fence, Name, OrderId, Timestamp, WorkerId, backoff::RetryPolicy, machine::Machine as _, order::OrderStatus,
};
use shopfloor_store::{
    Result, Store,
    orders::{self, ClaimRequest, ClaimedOrder, Order, Place, QueueDepth, Renewed, Rescued, Verdict},
    queues,
};

use crate::{Drift, Queue, SqlQueue, looks::Looks};

mod arguments;
mod claim;
mod dispatch;
mod keys;
mod library;
mod link;
mod publisher;
mod reconcile;
mod url;

pub use dispatch::{Chosen, Dispatch, Look};
pub use url::RedisUrlError;

use library::{Move, bytes};
use publisher::{News, Publisher};
use reconcile::Sweep;

/// Delayed orders moved in one call.
const PROMOTED: u32 = 500;

/// Who goes first among the orders of several projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fairness {
    /// The lowest score, whatever the project: what the queue on SQL does.
    #[default]
    Arrival,
    /// Projects take turns; within a project the lowest score goes first. A project that submits a hundred thousand
    /// orders then delays nobody else.
    Projects,
}

impl Fairness {
    fn as_str(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Projects => "fair",
        }
    }
}

/// Where Redis is and how it is used.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://`, `rediss://` or `unix://`.
    pub url: String,
    /// Keeps the keys of several Shopfloors on one server apart.
    pub namespace: Name,
    /// Who goes first among several projects.
    pub fairness: Fairness,
}

/// Dispatch through Redis, and straight from the record while Redis is away.
#[derive(Debug, Clone)]
pub struct RedisQueue {
    store: Store,
    sql: SqlQueue,
    dispatch: Dispatch,
    publisher: Publisher,
    looks: Looks<Look>,
    sweep: Arc<Sweep>,
}

impl RedisQueue {
    /// A queue on this record. Connects in the background, and again whenever the connection is lost: a Redis that is
    /// away is no error.
    ///
    /// # Errors
    /// [`RedisUrlError`] for a URL that cannot be used.
    pub fn connect(store: Store, settings: &RedisSettings) -> std::result::Result<Self, RedisUrlError> {
        let dispatch = Dispatch::connect(settings)?;
        Ok(Self {
            sql: SqlQueue::new(store.clone()),
            store,
            publisher: Publisher::start(dispatch.clone()),
            dispatch,
            looks: Looks::default(),
            sweep: Arc::default(),
        })
    }

    /// Tells Redis what became of an order that was claimed.
    async fn moved_on(&self, order: &Order, now: Timestamp) {
        if order.status.is_final() {
            return self.publisher.tell(News::Over(order.project_id, order.id)).await;
        }
        let _ = self.dispatch.release(&[(order.project_id, order.id)]).await;
        if order.status == OrderStatus::Queued {
            self.dispatch.publish(&[Place::from(order)], now).await;
        }
    }
}

#[async_trait]
impl Queue for RedisQueue {
    fn mode(&self) -> &'static str {
        if self.dispatch.link.is_complete() { "redis" } else { self.sql.mode() }
    }

    fn degraded(&self) -> Option<&'static str> {
        match (self.dispatch.link.is_up(), self.dispatch.link.is_complete()) {
            (true, true) => None,
            (true, false) => Some("Redis is being filled from the record; until then dispatch goes straight from it"),
            (false, _) => Some("Redis is away; dispatch goes straight from the record"),
        }
    }

    async fn publish(&self, ids: &[OrderId], now: Timestamp) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        if !self.dispatch.link.is_up() {
            self.dispatch.link.doubt();
            return self.sql.publish(ids, now).await;
        }
        match orders::places(&self.store, ids).await {
            Ok(places) => {
                self.dispatch.publish(&places, now).await;
                Ok(())
            }
            Err(error) => {
                self.dispatch.doubt().await;
                Err(error)
            }
        }
    }

    async fn publish_new(&self, places: &[Place], now: Timestamp) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        if !self.dispatch.link.is_up() {
            self.dispatch.link.doubt();
            return self.sql.publish_new(places, now).await;
        }
        self.publisher.tell(News::Queued(places.to_vec(), now)).await;
        Ok(())
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<ClaimedOrder>> {
        self.looks.take(request.worker_id);
        if self.dispatch.link.is_up()
            && let Some(claimed) = self.claim_chosen(request, now).await?
        {
            return Ok(claimed);
        }
        self.sql.claim(request, now).await
    }

    async fn wait(&self, request: &ClaimRequest, timeout: Duration) {
        let Some(mut look) = self.looks.take(request.worker_id) else {
            return self.sql.wait(request, timeout).await;
        };
        look.wait(timeout).await;
    }

    async fn renew(&self, worker: WorkerId, held: &[Fence], lease: Duration, now: Timestamp) -> Result<Vec<Renewed>> {
        self.sql.renew(worker, held, lease, now).await
    }

    async fn finish(&self, fence: Fence, verdict: Verdict, now: Timestamp) -> Result<Order> {
        let order = orders::finish(&self.store, fence, verdict, now).await?;
        self.moved_on(&order, now).await;
        Ok(order)
    }

    async fn rescue(&self, policy: &RetryPolicy, draw: f64, limit: u32, now: Timestamp) -> Result<Vec<Rescued>> {
        let rescued = self.sql.rescue(policy, draw, limit, now).await?;
        for Rescued { order } in &rescued {
            self.moved_on(order, now).await;
        }
        Ok(rescued)
    }

    async fn promote(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let moved: Option<(u8, u64, String)> =
            self.dispatch.link.call(Move::Promote, &[bytes(now.0), bytes(PROMOTED)]).await;
        match moved {
            Some((1, _, due)) => Ok(due.parse::<f64>().ok().map(|ms| Timestamp(ms as i64))),
            _ => self.sql.promote(now).await,
        }
    }

    async fn withdraw(&self, ids: &[OrderId]) -> Result<()> {
        for id in ids {
            let place = Place::from(&orders::get(&self.store, *id).await?);
            let _ = self.dispatch.withdraw(&[place]).await;
        }
        Ok(())
    }

    async fn pause(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        queues::pause(&self.store, queue, by, now).await?;
        self.dispatch.note_pause(queue, true).await;
        Ok(())
    }

    async fn resume(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        self.sql.resume(queue, by, now).await?;
        self.dispatch.note_pause(queue, false).await;
        Ok(())
    }

    async fn depth(&self, now: Timestamp) -> Result<Vec<QueueDepth>> {
        self.sql.depth(now).await
    }

    async fn reconcile(&self, now: Timestamp) -> Result<Drift> {
        self.reconcile_once(now).await
    }
}
