//! The sandbox of a machine without isolation: it runs nothing and says what to do.

use async_trait::async_trait;
use shopfloor_domain::sandbox::SandboxLevel;
use tokio_util::sync::CancellationToken;

use crate::{Job, Outcome, OutputSink, Sandbox, SandboxError};

/// Refuses every job.
#[derive(Debug, Clone)]
pub(crate) struct Refusing {
    /// The level that was asked for.
    pub(crate) required: SandboxLevel,
    /// What to install or change.
    pub(crate) remedy: String,
}

#[async_trait]
impl Sandbox for Refusing {
    fn level(&self) -> SandboxLevel {
        SandboxLevel::None
    }

    async fn run(&self, _job: Job, _sink: OutputSink, _stop: CancellationToken) -> Result<Outcome, SandboxError> {
        Err(SandboxError::Unavailable { required: self.required, remedy: self.remedy.clone() })
    }
}
