//! Holding Redis against the record, for ever: what is missing is published, and what was emptied is filled again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shopfloor_domain::Timestamp;
use shopfloor_store::{
    Result,
    orders::{self, DueCursor, Place},
    queues,
};
use tracing::{info, warn};

use super::RedisQueue;
use crate::Drift;

/// Orders read from the record at once while filling Redis.
const PAGE: u64 = 2000;
/// Orders looked at in one pass at each end of the queue: those that should run next, and those that came last.
const ENDS: u64 = 200;

/// After this time nobody is about to publish an order any more.
const SETTLED: Duration = Duration::from_secs(2);

/// Where the sweep through the queue stands.
#[derive(Debug, Default)]
pub(super) struct Sweep(Mutex<Option<DueCursor>>);

impl Sweep {
    fn get(&self) -> Option<DueCursor> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, place: Option<DueCursor>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

impl RedisQueue {
    /// One pass: fills a queue that is not complete; otherwise looks at both ends of it and at one more page.
    pub(super) async fn reconcile_once(&self, now: Timestamp) -> Result<Drift> {
        let Some((server, generation)) = self.dispatch.link.generations().await else { return Ok(Drift::default()) };
        if generation.as_deref() != Some(server.as_str()) {
            return self.fill(&server, now).await;
        }
        let mut missing = 0;
        for places in [
            orders::queued_after(&self.store, None, ENDS).await?,
            orders::due_last(&self.store, now, ENDS).await?,
            self.next_page().await?,
        ] {
            // What has come due just now may be on its way to Redis; it is published, and not counted as drift.
            let (settled, fresh): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| place.run_at + SETTLED < now);
            missing += self.dispatch.publish(&settled, now).await.unwrap_or(0);
            self.dispatch.publish(&fresh, now).await;
        }
        if missing > 0 {
            warn!(missing, "Redis did not know of queued orders; published them");
        }
        Ok(Drift { missing, filled: false })
    }

    async fn next_page(&self) -> Result<Vec<Place>> {
        let places = orders::queued_after(&self.store, self.sweep.get(), PAGE).await?;
        self.sweep.set(places.last().filter(|_| places.len() as u64 == PAGE).map(cursor));
        Ok(places)
    }

    /// Publishes every queued order, and then declares the queue complete. Until then claims go to the record. An order
    /// that is queued while this runs is published by whoever queued it.
    async fn fill(&self, server: &str, now: Timestamp) -> Result<Drift> {
        // In doubt until the end: the mark of another server may have come with its data.
        let Some(doubts) = self.dispatch.open_doubt().await else { return Ok(Drift::default()) };
        for queue in queues::list(&self.store).await? {
            self.dispatch.note_pause(&queue.name, queue.paused_at.is_some()).await;
        }
        let (mut missing, mut after) = (0, None);
        loop {
            let places = orders::queued_after(&self.store, after, PAGE).await?;
            let Some(last) = places.last() else { break };
            after = Some(cursor(last));
            match self.dispatch.publish(&places, now).await {
                Some(added) => missing += added,
                None => return Ok(Drift { missing, filled: false }),
            }
        }
        let filled = self.dispatch.settle_doubt(server, doubts).await;
        info!(published = missing, filled, "Filled Redis from the record");
        Ok(Drift { missing, filled })
    }
}

fn cursor(place: &Place) -> DueCursor {
    DueCursor { run_at: place.run_at, id: place.id }
}
