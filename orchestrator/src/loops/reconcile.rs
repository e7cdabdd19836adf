//! Holds the queue against the record: publishes what a crash between commit and push left out, and fills a queue that was
//! emptied.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::Clock;
use shopfloor_queue::Queue;
use shopfloor_store::StoreError;
use shopfloor_telemetry::Metrics;

use super::{Loop, Work};
use crate::{Deps, Settings};

/// The loop. It has nothing to do for a queue without a state of its own.
pub struct Reconcile {
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    every: Duration,
}

impl Reconcile {
    /// The loop on this queue.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { queue, clock, metrics, .. } = deps.clone();
        Self { queue, clock, metrics, every: settings.every }
    }
}

#[async_trait]
impl Loop for Reconcile {
    fn name(&self) -> &'static str {
        "reconcile"
    }

    fn every(&self) -> Duration {
        self.every
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let drift = self.queue.reconcile(self.clock.now()).await?;
        let missing = i64::try_from(drift.missing).unwrap_or(i64::MAX);
        self.metrics.reconcile_drift.with_label_values(&["missing"]).set(missing);
        if drift.filled {
            self.metrics.queue_fills.with_label_values::<&str>(&[]).inc();
        }
        Ok(Work { done: drift.missing, ..Work::default() })
    }
}
