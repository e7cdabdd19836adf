//! Logs and metrics: every metric's name in one place, one registry per process.
//!
//! `docs/logging.md` says what is a message and what is a field.

mod flat;
pub mod logging;
pub mod mask;
pub mod metrics;

pub use mask::mask;
pub use metrics::Metrics;
