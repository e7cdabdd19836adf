//! Wakes workers for delayed orders that have come due.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_domain::Clock;
use shopfloor_queue::Queue;
use shopfloor_store::{Bell, StoreError};

use super::{Loop, Work};
use crate::{Deps, Settings};

/// The loop. The orders' bell calls it too, since a new order may be due before the one it waits for.
pub struct Promote {
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    bell: Bell,
    every: Duration,
}

impl Promote {
    /// The loop on this queue.
    #[must_use]
    pub fn new(settings: &Settings, deps: &Deps) -> Self {
        let Deps { queue, clock, store, .. } = deps.clone();
        Self { queue, clock, bell: store.orders_bell().clone(), every: settings.every }
    }
}

#[async_trait]
impl Loop for Promote {
    fn name(&self) -> &'static str {
        "promote"
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn bell(&self) -> Option<&Bell> {
        Some(&self.bell)
    }

    async fn pass(&self) -> Result<Work, StoreError> {
        let now = self.clock.now();
        let next = self.queue.promote(now).await?;
        Ok(Work { next_in: next.map(|due| due.since(now)), ..Work::default() })
    }
}
