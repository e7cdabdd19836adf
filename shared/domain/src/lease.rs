//! How long a worker holds an order, and how often it says that it still does.

use std::time::Duration;

/// The times of the lease protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasePolicy {
    /// How long a claim or a renewal lasts. A worker silent for this long loses its orders.
    pub ttl: Duration,
    /// How often a worker renews what it holds.
    pub renew_every: Duration,
    /// How long a worker may be silent before it counts as offline.
    pub worker_offline_after: Duration,
}

impl Default for LeasePolicy {
    /// A worker stalled for five seconds keeps its orders (two renewals fit into the lease); a dead one loses them
    /// within eight, so that they run again within ten.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(8),
            renew_every: Duration::from_secs(2),
            worker_offline_after: Duration::from_secs(15),
        }
    }
}
