//! Ends sessions that are idle for too long or too old; their orders go back to the queue, nothing is lost.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::{Clock, session::SessionPolicy};
use shopfloor_queue::Queue;
use shopfloor_store::{Store, StoreError, sessions};
use shopfloor_telemetry::Metrics;
use tracing::info;

use super::{BATCH, Loop, Work};
use crate::{Deps, Settings};

/// The loop.
pub struct Sessions {
    store: Store,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    policy: SessionPolicy,
    every: Duration,
}

impl Sessions {
    /// The loop on this record.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { store, queue, clock, metrics } = deps.clone();
        Self { store, queue, clock, metrics, policy: settings.session, every: settings.every * 5 }
    }

    fn report(&self, session: &sessions::Session) {
        let reason = session.end_reason.map_or("unknown", |reason| reason.as_str());
        self.metrics.sessions_reaped.with_label_values(&[reason]).inc();
        info!(
            session_id = session.session_id, worker_id = %session.worker_id, reason,
            "Ended session `{}`: {reason}", session.session_id,
        );
    }
}

#[async_trait]
impl Loop for Sessions {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn every(&self) -> Duration {
        self.every
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let now = self.clock.now();
        let (ended, requeued) = sessions::reap(&self.store, &self.policy, BATCH, now).await?;
        ended.iter().for_each(|session| self.report(session));
        self.queue.publish(&requeued, now).await?;
        Ok(Work::batch(ended.len(), BATCH))
    }
}
