//! The queue on Redis: it says who is next and wakes who waits; the record decides.
//!
//! Redis holds ids, scores and who waits, nothing else. Its choice is a proposal: `orders::admit` makes the claim true
//! in one transaction of the record, which checks state, pause and project limit and mints the epoch. Therefore Redis can
//! be emptied, restarted or wrong at any moment and only speed is lost. While it is away, or not known to be complete,
//! every call is answered by [`SqlQueue`]. Leases, attempts and limits live in the record only.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::{Fence, Name, OrderId, Timestamp, WorkerId, backoff::RetryPolicy, order::OrderStatus};
use shopfloor_store::{
    Result, Store,
    orders::{self, ClaimRequest, ClaimedOrder, Order, Place, ProjectRoom, QueueDepth, Renewed, Rescued, Verdict},
    queues,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::{Drift, Queue, SqlQueue, looks::Looks};

mod arguments;
mod claim;
mod keys;
mod library;
mod link;
mod reconcile;
mod url;

pub use url::RedisUrlError;

use claim::Look;
use library::{Library, Move, bytes};
use link::Link;
use reconcile::Sweep;

/// How long a worker sleeps at most before it looks again, whatever it was told: its place among those that wait ages.
const LONGEST_BLOCK: Duration = Duration::from_secs(5);
/// Orders published in one call: a bounded piece of the server's time.
const BATCH: usize = 500;
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
    link: Link,
    fairness: Fairness,
    looks: Looks<Look>,
    sweep: Arc<Sweep>,
    _keeper: Arc<AbortOnDropHandle<()>>,
}

impl RedisQueue {
    /// A queue on this record. Connects in the background, and again whenever the connection is lost: a Redis that is
    /// away is no error.
    ///
    /// # Errors
    /// [`RedisUrlError`] for a URL that cannot be used.
    pub fn connect(store: Store, settings: &RedisSettings) -> std::result::Result<Self, RedisUrlError> {
        let link = Link::new(url::client(&settings.url)?, &settings.namespace, Library::new());
        let keeper = AbortOnDropHandle::new(tokio::spawn(link.clone().keep()));
        Ok(Self {
            sql: SqlQueue::new(store.clone()),
            store,
            link,
            fairness: settings.fairness,
            looks: Looks::default(),
            sweep: Arc::default(),
            _keeper: Arc::new(keeper),
        })
    }

    /// Publishes orders; `None` when Redis could not be told, otherwise how many it did not know.
    async fn publish_places(&self, places: &[Place], now: Timestamp) -> Option<u64> {
        let mut added = 0;
        for batch in places.chunks(BATCH) {
            match self.link.call::<(u8, u64)>(Move::Publish, &arguments::publish(batch, now)).await {
                Some((_, new)) => added += new,
                None => {
                    self.link.doubt();
                    return None;
                }
            }
        }
        Some(added)
    }

    async fn note_rooms(&self, rooms: &[ProjectRoom]) {
        let _ = self.link.call::<redis::Value>(Move::Room, &arguments::rooms(rooms)).await;
    }

    async fn note_pause(&self, queue: &Name, paused: bool) {
        let arguments = [bytes(queue.as_str()), bytes(u8::from(paused))];
        if self.link.call::<redis::Value>(Move::Pause, &arguments).await.is_none() {
            self.link.doubt();
        }
    }

    /// Lets everybody go to the record until Redis has been filled anew.
    async fn doubt(&self) {
        if self.link.call::<redis::Value>(Move::Complete, &[Vec::new()]).await.is_none() {
            self.link.doubt();
        }
    }

    /// Tells Redis what became of an order that was claimed.
    async fn moved_on(&self, order: &Order, now: Timestamp) {
        let released = arguments::project_and_order(order.project_id, order.id);
        let _ = self.link.call::<redis::Value>(Move::Release, &released).await;
        if order.status == OrderStatus::Queued {
            self.publish_places(&[Place::from(order)], now).await;
        }
    }
}

#[async_trait]
impl Queue for RedisQueue {
    fn mode(&self) -> &'static str {
        if self.link.is_complete() { "redis" } else { self.sql.mode() }
    }

    fn degraded(&self) -> Option<&'static str> {
        match (self.link.is_up(), self.link.is_complete()) {
            (true, true) => None,
            (true, false) => Some("Redis is being filled from the record; until then dispatch goes straight from it"),
            (false, _) => Some("Redis is away; dispatch goes straight from the record"),
        }
    }

    async fn publish(&self, ids: &[OrderId], now: Timestamp) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        if !self.link.is_up() {
            self.link.doubt();
            return self.sql.publish(ids, now).await;
        }
        match orders::places(&self.store, ids).await {
            Ok(places) => {
                self.publish_places(&places, now).await;
                Ok(())
            }
            Err(error) => {
                self.doubt().await;
                Err(error)
            }
        }
    }

    async fn publish_new(&self, places: &[Place], now: Timestamp) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        if !self.link.is_up() {
            self.link.doubt();
            return self.sql.publish_new(places, now).await;
        }
        self.publish_places(places, now).await;
        Ok(())
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> Result<Vec<ClaimedOrder>> {
        self.looks.take(request.worker_id);
        if self.link.is_up()
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
        let deadline = Instant::now() + timeout.min(LONGEST_BLOCK);
        let due = async {
            match look.due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let called = async {
            tokio::select! {
                () = look.ear.heard() => {}
                () = due => {}
            }
        };
        // The timeout is a normal end: the caller looks again either way.
        let _ = timeout_at(deadline, called).await;
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
        let moved: Option<(u8, u64, String)> = self.link.call(Move::Promote, &[bytes(now.0), bytes(PROMOTED)]).await;
        match moved {
            Some((1, _, due)) => Ok(due.parse::<f64>().ok().map(|ms| Timestamp(ms as i64))),
            _ => self.sql.promote(now).await,
        }
    }

    async fn withdraw(&self, ids: &[OrderId]) -> Result<()> {
        for id in ids {
            let place = Place::from(&orders::get(&self.store, *id).await?);
            let _ = self.link.call::<redis::Value>(Move::Withdraw, &arguments::withdraw(&[place])).await;
        }
        Ok(())
    }

    async fn pause(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        queues::pause(&self.store, queue, by, now).await?;
        self.note_pause(queue, true).await;
        Ok(())
    }

    async fn resume(&self, queue: &Name, by: &str, now: Timestamp) -> Result<()> {
        self.sql.resume(queue, by, now).await?;
        self.note_pause(queue, false).await;
        Ok(())
    }

    async fn depth(&self, now: Timestamp) -> Result<Vec<QueueDepth>> {
        self.sql.depth(now).await
    }

    async fn reconcile(&self, now: Timestamp) -> Result<Drift> {
        self.reconcile_once(now).await
    }
}
