//! What is said about a run in a sandbox, whichever sandbox it was.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::text_enum;

text_enum! {
    /// How strongly a sandbox isolates, weakest first; compare with `<`.
    SandboxLevel("sandbox level") {
        /// No isolation. Code is never run at this level; it exists to be reported.
        None = "none",
        /// Linux namespaces and a system-call filter on the host's kernel.
        Local = "local",
        /// A hardened container on the host's kernel.
        Hardened = "hardened",
        /// A user-space kernel (gVisor) between the code and the host.
        Gvisor = "gvisor",
    }
}

text_enum! {
    /// How a run ended.
    Ending("ending") {
        /// Exit code 0.
        Ok = "ok",
        /// The code ended with another exit code or a signal of its own making.
        UserError = "user_error",
        /// The wall clock ran out.
        TimedOut = "timed_out",
        /// The memory limit was hit.
        OutOfMemory = "out_of_memory",
        /// It printed more than allowed and was stopped.
        OutputLimit = "output_limit",
        /// It left more or larger artifacts than allowed.
        ArtifactLimit = "artifact_limit",
        /// It put a question to a person and waits to be run again with the answer.
        Asked = "asked",
        /// It was stopped on request.
        Cancelled = "cancelled",
        /// The sandbox itself broke.
        SandboxCrash = "sandbox_crash",
        /// No sandbox of the required level is there.
        RuntimeUnavailable = "runtime_unavailable",
    }
}

text_enum! {
    /// The language of a piece of code.
    #[derive(Default)]
    Language("language") {
        /// Python 3.11 or newer.
        #[default]
        Python = "python",
    }
}

/// The limits of one run. A project may narrow them; a job never widens them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall-clock time, enforced from outside.
    pub wall: Duration,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// CPUs, in thousandths.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub processes: u32,
    /// Open files per process.
    pub open_files: u32,
    /// The largest file it may write, in bytes.
    pub file_bytes: u64,
    /// The private work folder's size, in bytes.
    pub work_bytes: u64,
    /// Standard output and standard error, in bytes each.
    pub output_bytes: u64,
    /// How many artifacts it may leave.
    pub artifacts: u32,
    /// All artifacts together, in bytes.
    pub artifact_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            wall: Duration::from_secs(120),
            memory_bytes: 2048 * MIB,
            cpu_millis: 2000,
            processes: 128,
            open_files: 1024,
            file_bytes: 256 * MIB,
            work_bytes: 512 * MIB,
            output_bytes: MIB,
            artifacts: 64,
            artifact_bytes: 64 * MIB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_compare_by_strength() {
        use SandboxLevel as L;
        assert!(L::None < L::Local && L::Local < L::Hardened && L::Hardened < L::Gvisor);
        assert!(SandboxLevel::ALL.is_sorted());
    }
}
