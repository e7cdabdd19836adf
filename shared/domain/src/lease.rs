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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_survives_a_stall_and_finds_the_dead_in_time() {
        let policy = LeasePolicy::default();
        let stall = Duration::from_secs(5);
        assert!(policy.ttl >= policy.renew_every + stall, "a worker stalled for five seconds keeps its orders");
        let rescue_tick = Duration::from_secs(1);
        assert!(policy.ttl + rescue_tick < Duration::from_secs(10), "a dead worker's orders run again within ten");
    }
}
