//! How fast a project may start orders: the generic cell rate algorithm (ITU-T I.371, appendix A), which spreads starts
//! evenly and needs one number of memory.
//!
//! The number is the *theoretical arrival time*: when the project would have used up all that it has started, at its rate.
//! A short burst, one second's worth, may come at once after a pause.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A rate of starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Starts per minute, at least 1.
    pub per_minute: u32,
}

impl Pace {
    /// Microseconds between two starts.
    #[must_use]
    pub const fn interval_us(self) -> i64 {
        // A rate of zero would be "never"; it is not accepted from outside.
        60_000_000 / if self.per_minute == 0 { 1 } else { self.per_minute as i64 }
    }

    /// Starts that may come at once after a pause.
    #[must_use]
    pub const fn burst(self) -> i64 {
        1 + self.per_minute as i64 / 60
    }

    /// How many orders may start now, when `spent_until` (microseconds since 1970) is the theoretical arrival time.
    #[must_use]
    pub fn room(self, spent_until: Option<i64>, now: Timestamp) -> i64 {
        let ahead = (spent_until.unwrap_or(0) - micros(now)).max(0);
        ((self.burst() * self.interval_us() - ahead) / self.interval_us()).max(0)
    }

    /// The theoretical arrival time after `count` more starts.
    #[must_use]
    pub fn spend(self, spent_until: Option<i64>, count: i64, now: Timestamp) -> i64 {
        spent_until.unwrap_or(0).max(micros(now)) + count * self.interval_us()
    }

    /// When the next order may start; `now` or earlier when one may start at once.
    #[must_use]
    pub fn next(self, spent_until: Option<i64>) -> Timestamp {
        let at = spent_until.unwrap_or(0) - (self.burst() - 1) * self.interval_us();
        // Rounded up: a millisecond too early would find nothing.
        Timestamp(at.div_euclid(1000) + i64::from(at.rem_euclid(1000) > 0))
    }
}

const fn micros(time: Timestamp) -> i64 {
    time.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const T0: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn starts_come_one_by_one_at_a_slow_pace() {
        let pace = Pace { per_minute: 6 };
        assert_eq!(pace.room(None, T0), 1);
        let spent = pace.spend(None, 1, T0);
        assert_eq!(pace.room(Some(spent), T0), 0);
        assert_eq!(pace.next(Some(spent)), T0 + Duration::from_secs(10));
        assert_eq!(pace.room(Some(spent), T0 + Duration::from_millis(9_999)), 0);
        assert_eq!(pace.room(Some(spent), T0 + Duration::from_secs(10)), 1);
    }

    proptest! {
        /// However a project takes what it may, no minute sees more starts than the rate and one burst.
        #[test]
        fn no_minute_exceeds_the_rate_and_a_burst(
            per_minute in 1_u32..2_000,
            takes in prop::collection::vec((0_u64..5_000, 0_i64..50), 1..200),
        ) {
            let pace = Pace { per_minute };
            let (mut now, mut spent, mut starts) = (T0, None, Vec::new());
            for (pause, wish) in takes {
                now = now + Duration::from_millis(pause);
                let count = wish.min(pace.room(spent, now));
                if count > 0 {
                    spent = Some(pace.spend(spent, count, now));
                    starts.push((now, count));
                }
            }
            for (place, (from, _)) in starts.iter().enumerate() {
                let window = starts[place..].iter().take_while(|(at, _)| at.since(*from) < Duration::from_secs(60));
                let count: i64 = window.map(|(_, count)| count).sum();
                prop_assert!(count <= i64::from(per_minute) + pace.burst() + 1, "{count} of {per_minute}");
            }
        }

        /// At the time that `next` names there is room, and a millisecond before there is none.
        #[test]
        fn the_next_start_is_when_it_says(per_minute in 1_u32..2_000, count in 1_i64..100) {
            let pace = Pace { per_minute };
            let spent = Some(pace.spend(None, count.max(pace.burst()), T0));
            let next = pace.next(spent);
            prop_assert!(pace.room(spent, next) >= 1);
            prop_assert_eq!(pace.room(spent, next - Duration::from_millis(1)), 0);
        }
    }
}
