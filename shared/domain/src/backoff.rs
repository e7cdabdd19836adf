//! Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long to wait before the next attempt, and how many attempts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The ceiling of the first wait.
    pub base: Duration,
    /// The ceiling of every wait.
    pub max: Duration,
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// How many workers an order may lose (killed, out of memory, lease expired) before it is dead.
    pub max_kills: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), max: Duration::from_secs(5 * 60), max_attempts: 3, max_kills: 3 }
    }
}

impl RetryPolicy {
    /// The wait after `attempt` (counted from 1) failed. `draw` is a random number in `0.0..=1.0`, clamped to it.
    #[must_use]
    pub fn backoff(&self, attempt: u32, draw: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1_u32 << doublings).min(self.max);
        let draw = if draw.is_nan() { 1.0 } else { draw.clamp(0.0, 1.0) };
        // Floating point may round past the ceiling, or out of range for the longest durations.
        Duration::try_from_secs_f64(ceiling.as_secs_f64() * draw).map_or(ceiling, |wait| wait.min(ceiling))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> impl Strategy<Value = RetryPolicy> {
        let duration = || (0_u64..10_000_000).prop_map(Duration::from_millis);
        (duration(), duration()).prop_map(|(base, max)| RetryPolicy { base, max, ..RetryPolicy::default() })
    }

    proptest! {
        #[test]
        fn no_wait_exceeds_the_ceiling_or_the_maximum(p in policy(), attempt in any::<u32>(), draw in any::<f64>()) {
            let wait = p.backoff(attempt, draw);
            prop_assert!(wait <= p.max);
            prop_assert!(wait <= p.base.saturating_mul(1_u32 << attempt.saturating_sub(1).min(31)));
        }

        #[test]
        fn ceilings_never_shrink(p in policy(), attempt in 0_u32..100) {
            prop_assert!(p.backoff(attempt, 1.0) <= p.backoff(attempt + 1, 1.0));
        }

        #[test]
        fn a_larger_draw_never_waits_less(p in policy(), attempt in 0_u32..100, a in 0.0..=1.0, b in 0.0..=1.0) {
            let (a, b): (f64, f64) = (a, b);
            prop_assert!(p.backoff(attempt, a.min(b)) <= p.backoff(attempt, a.max(b)));
        }
    }

    #[test]
    fn the_ceiling_doubles_until_the_maximum() {
        let policy = RetryPolicy { max: Duration::from_secs(5), ..RetryPolicy::default() };
        let seconds = [1, 2, 3, 4, 50].map(|attempt| policy.backoff(attempt, 1.0).as_secs());
        assert_eq!(seconds, [1, 2, 4, 5, 5]);
        assert_eq!(policy.backoff(0, 1.0), policy.backoff(1, 1.0), "attempts count from 1");
    }

    #[test]
    fn strange_draws_are_clamped() {
        let policy = RetryPolicy::default();
        for draw in [f64::NAN, f64::INFINITY, 1.5] {
            assert_eq!(policy.backoff(2, draw), Duration::from_secs(2), "{draw}");
        }
        for draw in [f64::NEG_INFINITY, -0.5, 0.0] {
            assert_eq!(policy.backoff(2, draw), Duration::ZERO, "{draw}");
        }
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let policy = RetryPolicy { base: Duration::MAX, max: Duration::MAX, ..RetryPolicy::default() };
        assert!(policy.backoff(u32::MAX, 0.5) < Duration::MAX);
        assert_eq!(policy.backoff(u32::MAX, 1.0), Duration::MAX);
    }
}
