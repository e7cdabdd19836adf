//! Marks workers as offline that went silent. Their orders are the rescue's business, by their leases.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::Clock;
use shopfloor_store::{Store, StoreError, workers};
use tracing::warn;

use super::{Loop, Work};
use crate::{Deps, Settings};

/// The loop.
pub struct Workers {
    store: Store,
    clock: Arc<dyn Clock>,
    silence: Duration,
    every: Duration,
}

impl Workers {
    /// The loop on this record.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { store, clock, .. } = deps.clone();
        Self { store, clock, silence: settings.lease.worker_offline_after, every: settings.every * 5 }
    }
}

#[async_trait]
impl Loop for Workers {
    fn name(&self) -> &'static str {
        "workers"
    }

    fn every(&self) -> Duration {
        self.every
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let gone = workers::mark_offline(&self.store, self.silence, self.clock.now()).await?;
        for worker in &gone {
            warn!(worker_id = %worker.id, "Worker `{}` is offline: it went silent", worker.name);
        }
        Ok(Work { done: gone.len() as u64, ..Work::default() })
    }
}
