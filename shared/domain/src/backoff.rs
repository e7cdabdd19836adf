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
        ceiling.mul_f64(draw)
    }
}
