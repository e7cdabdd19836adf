//! Removes what has been kept long enough.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::Clock;
use shopfloor_store::{Store, StoreError, prune};
use tracing::info;

use super::{BATCH, Loop, Work};
use crate::{Deps, Settings};

/// The loop.
pub struct Prune {
    store: Store,
    clock: Arc<dyn Clock>,
    keep: Duration,
}

impl Prune {
    /// The loop on this record.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { store, clock, .. } = deps.clone();
        Self { store, clock, keep: settings.keep }
    }
}

#[async_trait]
impl Loop for Prune {
    fn name(&self) -> &'static str {
        "prune"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let pruned = prune::pass(&self.store, self.clock.now() - self.keep, BATCH).await?;
        let kinds = [pruned.events, pruned.idempotency_keys, pruned.workers];
        let done = kinds.iter().sum();
        if done > 0 {
            let prune::Pruned { events, idempotency_keys, workers } = pruned;
            info!(events, idempotency_keys, workers, "Removed {done} rows that were kept long enough");
        }
        Ok(Work { done, more: kinds.iter().any(|&rows| rows >= u64::from(BATCH)), next_in: None })
    }
}
