//! What a worker is given.

use std::{fmt, sync::Arc, time::Duration};

use shopfloor_domain::{Capabilities, Clock, Name, backoff::RetryPolicy, lease::LeasePolicy};
use shopfloor_queue::Queue;
use shopfloor_sandbox::Sandbox;
use shopfloor_store::{Store, StoreError};
use shopfloor_telemetry::Metrics;

/// How a worker behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, for people.
    pub name: String,
    /// How many orders it works on at once.
    pub slots: u32,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The queues it serves; empty for all.
    pub queues: Vec<Name>,
    /// The times of the lease protocol.
    pub lease: LeasePolicy,
    /// How long failed attempts wait.
    pub retry: RetryPolicy,
    /// How long it holds on to an order that waits for a person before it parks it.
    pub grace: Duration,
    /// How long running orders may go on when it stops; what is left is handed back.
    pub drain: Duration,
}

impl Settings {
    /// The most slots of one worker.
    pub const MAX_SLOTS: u32 = 1024;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            slots: 1,
            capabilities: Capabilities::default(),
            queues: Vec::new(),
            lease: LeasePolicy::default(),
            retry: RetryPolicy::default(),
            grace: Duration::from_secs(20),
            drain: Duration::from_secs(30),
        }
    }
}

/// What a worker works with. Cloning shares it.
#[derive(Clone)]
pub struct Deps {
    /// The record.
    pub store: Store,
    /// Who is next.
    pub queue: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where counts go.
    pub metrics: Metrics,
    /// Where code runs.
    pub sandbox: Arc<dyn Sandbox>,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("queue", &self.queue.mode()).field("sandbox", &self.sandbox.level()).finish()
    }
}

/// Why a worker could not work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A setting makes no sense.
    #[error("the worker's setting `{field}` {problem}")]
    Setting {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The record does not take the worker in.
    #[error("registering worker `{name}`")]
    Register {
        /// Its name.
        name: String,
        /// The record's error.
        source: StoreError,
    },
    /// The runtime ended by itself.
    #[error("the worker's runtime ended: {0}")]
    Runtime(String),
}
