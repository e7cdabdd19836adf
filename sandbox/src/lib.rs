//! Untrusted code in, outcome out. Closed by default; opened by name.

mod check;
mod error;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod job;
mod local;
pub mod probe;
mod refusing;
mod toolchain;

use std::sync::Arc;

use async_trait::async_trait;
use shopfloor_domain::sandbox::SandboxLevel;
use tokio_util::sync::CancellationToken;

pub use error::SandboxError;
pub use job::{Asked, Collected, Command, Input, Job, Outcome, Output, Stream};

/// Receives live output. Called in order, never after the run has ended; must not block.
pub type OutputSink = Arc<dyn Fn(Output) + Send + Sync>;

/// Something that runs a job in isolation.
#[async_trait]
pub trait Sandbox: Send + Sync + 'static {
    /// How strongly it isolates; part of every outcome.
    fn level(&self) -> SandboxLevel;

    /// Runs one job to its end and cleans up after it. Everything that the job itself did is an [`Outcome`], time-outs and
    /// crashes included; cancelling `stop` kills it and gives `Ending::Cancelled`.
    ///
    /// # Errors
    /// [`SandboxError`] when the job could not be run at all; it did not run then.
    async fn run(&self, job: Job, sink: OutputSink, stop: CancellationToken) -> Result<Outcome, SandboxError>;
}
