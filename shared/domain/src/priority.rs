//! Priority as a head start: a more urgent order counts as enqueued earlier than it was.

use std::time::Duration;

use crate::{Timestamp, text::text_enum, time::millis};

text_enum! {
    /// How urgent an order is.
    #[derive(Default)]
    Priority("priority") {
        /// Ten minutes of head start over `low`, plus what `normal` has.
        High = "high",
        /// Ten minutes of head start over `low`.
        #[default]
        Normal = "normal",
        /// No head start.
        Low = "low",
    }
}

/// The longest head start: no order waits behind later ones for longer than this.
pub const LARGEST_BOOST: Duration = Duration::from_secs(30 * 60);

impl Priority {
    /// How much earlier than its enqueue time an order of this priority counts.
    #[must_use]
    pub const fn boost(self) -> Duration {
        match self {
            Self::High => LARGEST_BOOST,
            Self::Normal => Duration::from_secs(10 * 60),
            Self::Low => Duration::ZERO,
        }
    }

    /// The order's place in the queue: the lowest score goes first.
    ///
    /// Aging is free: a waiting order's score stays while newcomers' scores grow, so an order can be overtaken only by
    /// orders enqueued at most [`LARGEST_BOOST`] after it.
    #[must_use]
    pub fn score(self, enqueued_at: Timestamp) -> i64 {
        enqueued_at.0.saturating_sub(millis(self.boost()))
    }
}
