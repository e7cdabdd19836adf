//! Dispatch alone: which order is next, and who waits for one. It knows ids and scores and nothing of the record, so what it
//! says is a proposal; [`RedisQueue`](super::RedisQueue) makes claims true with it.
//!
//! Used without a record it is a queue that loses what a dead worker held: there is no lease here, no attempt and no epoch.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use redis::Cmd;
use shopfloor_domain::{Name, OrderId, ProjectId, Timestamp};
use shopfloor_store::{
    Ear,
    orders::{ClaimRequest, Place, ProjectRoom},
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    Fairness, RedisSettings, RedisUrlError,
    arguments::{self, capability_list, project_from, queue_list},
    library::{Library, Move, bytes},
    link::Link,
    url,
};

/// How long a worker sleeps at most before it looks again, whatever it was told: its place among those that wait ages.
const LONGEST_BLOCK: Duration = Duration::from_secs(5);
/// Orders published in one call: a bounded piece of the server's time.
const BATCH: usize = 500;

/// What the claim move answers.
type Reply = (u8, Vec<Vec<u8>>, String, Vec<String>, Vec<String>);

/// Who is next, by Redis alone. Cloning shares the connection. Where a call answers `None`, Redis is not there.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(super) link: Link,
    fairness: Fairness,
    _keeper: Arc<AbortOnDropHandle<()>>,
}

/// What one look found.
#[derive(Debug)]
pub struct Chosen {
    /// The orders that go first; nobody else is given them.
    pub ids: Vec<OrderId>,
    pub(super) full: BTreeSet<ProjectId>,
    pub(super) paused: BTreeSet<Name>,
    /// For sleeping, when there was nothing.
    pub look: Look,
}

/// A look that may have found nothing: whoever sleeps on it misses nothing since.
#[derive(Debug)]
pub struct Look {
    /// Hears everything since before the look.
    ear: Ear,
    /// When the first delayed order is due, on this process's clock.
    due: Option<Instant>,
}

impl Look {
    /// Sleeps until this worker is called, a delayed order is due, or `timeout` is over.
    pub async fn wait(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout.min(LONGEST_BLOCK);
        let due = async {
            match self.due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let called = async {
            tokio::select! {
                () = self.ear.heard() => {}
                () = due => {}
            }
        };
        // The timeout is a normal end: the caller looks again either way.
        let _ = timeout_at(deadline, called).await;
    }
}

impl Dispatch {
    /// Connects in the background, and again whenever the connection is lost: a Redis that is away is no error.
    ///
    /// # Errors
    /// [`RedisUrlError`] for a URL that cannot be used.
    pub fn connect(settings: &RedisSettings) -> Result<Self, RedisUrlError> {
        let link = Link::new(url::client(&settings.url)?, &settings.namespace, Library::new());
        let keeper = AbortOnDropHandle::new(tokio::spawn(link.clone().keep()));
        Ok(Self { link, fairness: settings.fairness, _keeper: Arc::new(keeper) })
    }

    /// Declares that Redis holds all there is, unless it was declared before; `false` when it could not be said. Without a
    /// record behind it, that is so from the beginning.
    pub async fn declare(&self) -> bool {
        let Some((server, generation)) = self.link.generations().await else { return false };
        if generation.as_deref() == Some(server.as_str()) {
            return true;
        }
        let Some(doubts) = self.open_doubt().await else { return false };
        self.settle_doubt(&server, doubts).await
    }

    /// Makes orders visible to claims and wakes a worker for each new one; how many were not known before.
    pub async fn publish(&self, places: &[Place], now: Timestamp) -> Option<u64> {
        let mut added = 0;
        for batch in places.chunks(BATCH) {
            added += self.publish_batch(None, batch, now).await?;
        }
        Some(added)
    }

    /// As [`Self::publish`], with something small that each order brings along until it is [`Self::done`].
    pub async fn publish_with(&self, places: &[Place], luggage: &[Vec<u8>], now: Timestamp) -> Option<u64> {
        let mut added = 0;
        for (batch, luggage) in places.chunks(BATCH).zip(luggage.chunks(BATCH)) {
            let mut packed = redis::cmd("HSET");
            packed.arg(self.link.keys().luggage());
            for (place, piece) in batch.iter().zip(luggage) {
                packed.arg(&place.id.0.as_bytes()[..]).arg(&piece[..]);
            }
            added += self.publish_batch(Some(packed), batch, now).await?;
        }
        Some(added)
    }

    async fn publish_batch(&self, ahead: Option<Cmd>, places: &[Place], now: Timestamp) -> Option<u64> {
        let told: Option<(u8, u64)> =
            self.link.call_after(ahead, Move::Publish, &arguments::publish(places, now)).await;
        if told.is_none() {
            self.link.doubt();
        }
        told.map(|(_, new)| new)
    }

    /// Takes up to `limit` orders. `arm`: let the worker wait when there are none. `None` also when Redis is not complete.
    pub async fn claim(&self, request: &ClaimRequest, limit: usize, arm: bool, now: Timestamp) -> Option<Chosen> {
        let (ear, at) = (self.link.ear(request.worker_id), Instant::now());
        let arguments = [
            bytes(now.0),
            bytes(limit),
            bytes(request.worker_id.to_string()),
            bytes(self.link.instance()),
            bytes(queue_list(&request.queues)),
            bytes(capability_list(&request.capabilities)),
            bytes(self.fairness.as_str()),
            bytes(u8::from(arm)),
        ];
        let was_up = self.link.is_up();
        let Some(reply) = self.link.call::<Reply>(Move::Claim, &arguments).await else {
            // It may have chosen, and nobody was told: what it chose is missing there now.
            if was_up {
                self.link.doubt();
            }
            return None;
        };
        let (complete, ids, next_due, full, paused) = reply;
        self.link.note_complete(complete == 1);
        if complete == 0 {
            return None;
        }
        let due = next_due.parse::<f64>().ok().map(|ms| at + Timestamp(ms as i64).since(now));
        Some(Chosen {
            ids: ids.iter().filter_map(|id| Uuid::from_slice(id).ok()).map(OrderId::from).collect(),
            full: full.iter().filter_map(|project| project_from(project)).collect(),
            paused: paused.iter().filter_map(|queue| queue.parse().ok()).collect(),
            look: Look { ear, due },
        })
    }

    /// What these orders brought along, in their order.
    pub async fn luggage(&self, ids: &[OrderId]) -> Option<Vec<Option<Vec<u8>>>> {
        let mut fetch = redis::cmd("HMGET");
        fetch.arg(self.link.keys().luggage());
        for id in ids {
            fetch.arg(&id.0.as_bytes()[..]);
        }
        self.link.ask("fetching what orders brought along", fetch).await
    }

    /// Notes that orders run no longer, and wakes a worker for each place that became free in a limited project.
    pub async fn release(&self, ended: &[(ProjectId, OrderId)]) -> Option<u64> {
        self.link.call(Move::Release, &arguments::ended(ended)).await
    }

    /// As [`Self::release`], for orders that were published with luggage.
    pub async fn done(&self, ended: &[(ProjectId, OrderId)]) -> Option<u64> {
        let mut unpack = redis::cmd("HDEL");
        unpack.arg(self.link.keys().luggage());
        for (_, id) in ended {
            unpack.arg(&id.0.as_bytes()[..]);
        }
        self.link.call_after(Some(unpack), Move::Release, &arguments::ended(ended)).await
    }

    /// Forgets orders that are no longer queued.
    pub async fn withdraw(&self, places: &[Place]) -> Option<u64> {
        self.link.call(Move::Withdraw, &arguments::withdraw(places)).await
    }

    /// Notes what the record says of projects' limits, and which of their orders run.
    pub(super) async fn note_rooms(&self, rooms: &[ProjectRoom]) {
        let _ = self.link.call::<redis::Value>(Move::Room, &arguments::rooms(rooms)).await;
    }

    /// Notes that a queue is paused, or is no longer.
    pub(super) async fn note_pause(&self, queue: &Name, paused: bool) {
        let arguments = [bytes(queue.as_str()), bytes(u8::from(paused))];
        if self.link.call::<redis::Value>(Move::Pause, &arguments).await.is_none() {
            self.link.doubt();
        }
    }

    /// Lets everybody go to the record until Redis has been filled anew.
    pub(super) async fn doubt(&self) {
        if self.open_doubt().await.is_none() {
            self.link.doubt();
        }
    }

    /// Doubts Redis; how often that was done so far.
    pub(super) async fn open_doubt(&self) -> Option<u64> {
        self.link.call(Move::Complete, &[Vec::new()]).await
    }

    /// Declares Redis complete as filled on `server`, unless it was doubted again since `doubts`. Whether it is.
    pub(super) async fn settle_doubt(&self, server: &str, doubts: u64) -> bool {
        let filled = self.link.call::<u64>(Move::Complete, &[bytes(server), bytes(doubts)]).await == Some(1);
        self.link.note_complete(filled);
        filled
    }
}
