//! Why a job could not be run at all.

use shopfloor_domain::{Fence, sandbox::SandboxLevel};

/// The job did not run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No isolation of the required level is there.
    #[error("no sandbox of level `{required}` is available: {remedy}")]
    Unavailable {
        /// The level that was required.
        required: SandboxLevel,
        /// What to install or change.
        remedy: String,
    },
    /// The job itself cannot be run, e.g. an input's name is not allowed.
    #[error("{field}: {problem}")]
    Refused {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A tool or interpreter of the toolchain is missing.
    #[error("`{tool}` is not in the toolchain: {remedy}")]
    ToolMissing {
        /// Which one.
        tool: String,
        /// What to install.
        remedy: String,
    },
    /// The machinery failed.
    #[error("{doing} for {fence}")]
    Io {
        /// What was being tried.
        doing: &'static str,
        /// The job.
        fence: Fence,
        /// The system's error.
        source: std::io::Error,
    },
}
