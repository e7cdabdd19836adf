//! Priority as a head start: a more urgent order counts as enqueued earlier than it was.

use std::time::Duration;

use crate::{Timestamp, text::text_enum, time::millis};

text_enum! {
    /// How urgent an order is.
    #[derive(Default)]
    Priority("priority") {
        /// Half an hour of head start over `low`.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn priority() -> impl Strategy<Value = Priority> {
        proptest::sample::select(Priority::ALL)
    }

    proptest! {
        #[test]
        fn an_order_is_overtaken_only_within_the_largest_boost(
            (mine, theirs) in (priority(), priority()),
            enqueued in 0_i64..4_000_000_000_000,
            later in 0_i64..100_000_000,
        ) {
            let newcomer = Timestamp(enqueued + later);
            if theirs.score(newcomer) < mine.score(Timestamp(enqueued)) {
                prop_assert!(later < millis(LARGEST_BOOST));
            }
        }

        #[test]
        fn within_a_priority_the_earlier_order_goes_first(p in priority(), a in any::<i64>(), b in any::<i64>()) {
            if a <= b {
                prop_assert!(p.score(Timestamp(a)) <= p.score(Timestamp(b)));
            }
        }

        #[test]
        fn at_the_same_time_the_more_urgent_order_goes_first(at in any::<i64>()) {
            let scores = [Priority::High, Priority::Normal, Priority::Low].map(|p| p.score(Timestamp(at)));
            prop_assert!(scores.is_sorted());
        }
    }

    #[test]
    fn no_boost_exceeds_the_largest() {
        assert_eq!(Priority::ALL.iter().map(|p| p.boost()).max(), Some(LARGEST_BOOST));
    }

    #[test]
    fn scores_saturate_instead_of_wrapping() {
        assert_eq!(Priority::High.score(Timestamp(i64::MIN)), i64::MIN);
        assert_eq!(Priority::Low.score(Timestamp(i64::MAX)), i64::MAX);
    }
}
