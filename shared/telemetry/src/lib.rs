//! Logs and metrics: every metric's name in one place, one registry per process.

pub mod logging;
pub mod metrics;

pub use metrics::Metrics;
