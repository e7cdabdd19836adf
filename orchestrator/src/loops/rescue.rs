//! Takes back the orders of workers that went silent.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::{Clock, backoff::RetryPolicy, machine::Machine};
use shopfloor_queue::Queue;
use shopfloor_store::{StoreError, orders::Rescued};
use shopfloor_telemetry::Metrics;
use tracing::warn;

use super::{BATCH, Loop, Work};
use crate::{Deps, Settings};

/// The loop.
pub struct Rescue {
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    policy: RetryPolicy,
    draw: fn() -> f64,
    every: Duration,
}

impl Rescue {
    /// `draw` hands out the backoff's jitter, `0.0..=1.0`.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps, draw: fn() -> f64) -> Self {
        let Deps { queue, clock, metrics, .. } = deps.clone();
        Self { queue, clock, metrics, policy: settings.retry, draw, every: settings.every }
    }

    fn report(&self, rescued: &Rescued) {
        let order = &rescued.order;
        self.metrics.lease_expired.with_label_values::<&str>(&[]).inc();
        if order.status.is_final() {
            self.metrics.orders_finished.with_label_values(&[order.status.as_str()]).inc();
        }
        warn!(
            order_id = %order.id, epoch = order.epoch.0, attempt = order.attempt, kills = order.kills,
            status = order.status.as_str(),
            "The lease of order `{}` ran out; it is {} now", order.id, order.status,
        );
    }
}

#[async_trait]
impl Loop for Rescue {
    fn name(&self) -> &'static str {
        "rescue"
    }

    fn every(&self) -> Duration {
        self.every
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let rescued = self.queue.rescue(&self.policy, (self.draw)(), BATCH, self.clock.now()).await?;
        rescued.iter().for_each(|rescued| self.report(rescued));
        Ok(Work::batch(rescued.len(), BATCH))
    }
}
