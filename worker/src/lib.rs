//! Workers: they claim orders, run their pipelines, and say what came of it.
//!
//! [`run`] is one worker. apalis is its runtime: it asks for work while a slot is free, limits concurrency, catches
//! panics and stops gracefully. Around it, one task renews the leases and one sends heartbeats. The engine works out
//! the next step from the recorded ones alone, so that any worker can take a run over at any moment.

mod backend;
mod conclude;
mod engine;
mod heartbeat;
mod held;
mod renew;
mod runtime;
mod settings;

pub use runtime::run;
pub use settings::{Deps, Settings, WorkerError};

#[cfg(test)]
mod tests;
