//! When to look at the log again.
//!
//! On PostgreSQL an event can be seen only once every older transaction has ended, so a ring may come before its event
//! can be seen. After a ring the next looks therefore come at short, doubling intervals.

use std::time::Duration;

use crate::SAFETY_POLL;

const FIRST_RELOOK: Duration = Duration::from_millis(5);
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// The pauses between looks.
#[derive(Debug)]
pub(crate) struct Pace {
    late_sight: bool,
    quiet_looks: u32,
    failures: u32,
}

impl Pace {
    /// `late_sight`: whether a ring may come before its event can be seen.
    pub(crate) fn new(late_sight: bool) -> Self {
        Self { late_sight, quiet_looks: 0, failures: 0 }
    }

    /// The bell rang, or a look found something.
    pub(crate) fn stirred(&mut self) {
        self.quiet_looks = 0;
    }

    /// A look succeeded.
    pub(crate) fn recovered(&mut self) {
        self.failures = 0;
    }

    /// How long to listen after a look that found nothing.
    pub(crate) fn quiet(&mut self) -> Duration {
        let pause = doubled(FIRST_RELOOK, self.quiet_looks);
        self.quiet_looks = self.quiet_looks.saturating_add(1);
        if self.late_sight { pause } else { SAFETY_POLL }
    }

    /// How long to wait after a look that failed.
    pub(crate) fn failed(&mut self) -> Duration {
        let pause = doubled(FIRST_RETRY, self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(SAFETY_POLL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_close_after_a_ring_and_slow_down_to_the_safety_poll() {
        let mut pace = Pace::new(true);
        let pauses: Vec<_> = (0..12).map(|_| pace.quiet().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000]);
        pace.stirred();
        assert_eq!(pace.quiet(), FIRST_RELOOK);
    }

    #[test]
    fn where_a_ring_comes_after_its_event_only_the_safety_poll_is_left() {
        assert_eq!(Pace::new(false).quiet(), SAFETY_POLL);
    }

    #[test]
    fn failures_back_off_until_a_look_succeeds() {
        let mut pace = Pace::new(true);
        let pauses: Vec<_> = (0..8).map(|_| pace.failed().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        pace.recovered();
        assert_eq!(pace.failed(), FIRST_RETRY);
    }
}
