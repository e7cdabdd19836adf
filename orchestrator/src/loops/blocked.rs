//! Counts the time that due orders spend waiting, by what keeps them.
//!
//! A sample, not a stopwatch: at every look each due order adds the time since the last look (or since it was due, if that
//! was later) to the cause that keeps it *now*. What is claimed between two looks adds nothing; `order_wait_seconds` knows
//! about that. The looks cost at most a fiftieth of the time: after a slow one, as with a backlog of a million orders, the
//! next comes later and counts for longer.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use shopfloor_domain::{Clock, Timestamp};
use shopfloor_store::{Store, StoreError, why};
use shopfloor_telemetry::Metrics;
use tokio::time::Instant;

use super::{Loop, Work};
use crate::{Deps, Settings};

/// So many times as long as a look took passes before the next one.
const REST: u32 = 50;
/// The longest time that one look may count for. Longer gaps are a machine that slept, or a clock that was set.
const MOST: Duration = Duration::from_secs(5 * 60);

/// The loop.
pub struct Blocked {
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    every: Duration,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    at: Timestamp,
    /// How long the look took.
    took: Duration,
}

impl Blocked {
    /// The loop on this record. It counts from now on: what was before the lead is the former leader's.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { store, clock, metrics, .. } = deps.clone();
        let last = Mutex::new(Last { at: clock.now(), took: Duration::ZERO });
        Self { store, clock, metrics, every: settings.every * 4, last }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Loop for Blocked {
    fn name(&self) -> &'static str {
        "blocked"
    }

    fn every(&self) -> Duration {
        self.every.max(self.last().took * REST)
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let (began, now) = (Instant::now(), self.clock.now());
        let window = now.since(self.last().at).min(MOST);
        let blocked = why::blocked(&self.store, window, now).await?;
        for (cause, time) in blocked {
            self.metrics.blocked.with_label_values(&[cause]).inc_by(time.as_secs_f64());
        }
        *self.last() = Last { at: now, took: began.elapsed() };
        Ok(Work::default())
    }
}
