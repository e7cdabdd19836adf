//! What the orchestrator is given.

use std::{sync::Arc, time::Duration};

use shopfloor_domain::{Clock, backoff::RetryPolicy, lease::LeasePolicy, session::SessionPolicy};
use shopfloor_queue::Queue;
use shopfloor_store::Store;
use shopfloor_telemetry::Metrics;

/// How the orchestrator works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How an order whose worker was lost is tried again, and when it is given up.
    pub retry: RetryPolicy,
    /// When a silent worker counts as offline.
    pub lease: LeasePolicy,
    /// When a session must end.
    pub session: SessionPolicy,
    /// How long events and idempotency keys are kept.
    pub keep: Duration,
    /// How long the lead lasts when its holder dies. It is renewed at a third of this.
    pub leader_ttl: Duration,
    /// How often the loops look that keep orders moving. More than a second delays the rescue of a dead worker's orders.
    pub every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            lease: LeasePolicy::default(),
            session: SessionPolicy::default(),
            keep: Duration::from_secs(30 * 24 * 60 * 60),
            leader_ttl: Duration::from_secs(3),
            every: Duration::from_millis(500),
        }
    }
}

/// What the orchestrator works with.
#[derive(Clone)]
pub struct Deps {
    /// The record.
    pub store: Store,
    /// Who is next.
    pub queue: Arc<dyn Queue>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps").field("queue", &self.queue.mode()).field("clock", &self.clock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_workers_order_runs_again_within_ten_seconds() {
        let settings = Settings::default();
        // The worst case: the orchestrator dies together with the worker, and a candidate that just lost campaigns again.
        let new_leader = settings.leader_ttl + settings.leader_ttl / 3;
        let noticed = settings.lease.ttl.max(new_leader) + settings.every;
        let first_backoff = settings.retry.backoff(1, 1.0);
        assert!(noticed + first_backoff < Duration::from_secs(10), "{noticed:?} + {first_backoff:?}");
    }
}
