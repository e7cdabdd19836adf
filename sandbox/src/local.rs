//! The `local` level: Linux namespaces by bubblewrap, a system-call filter, rlimits, and a cgroup where one is writable.
//!
//! A run, in order: [`launch`] starts `bwrap` with the [`view`] of the job and the [`seccomp`] filter; process 1 says that
//! the sandbox stands and waits; we open its private folder and put it into a [`cgroup`]; the job begins; [`output`] listens;
//! whatever comes first (its end, the clock, a limit, a request) kills the whole process namespace; [`artifacts`] are read
//! from the private folder that only our descriptor keeps alive; [`verdict`] says how it ended. Nothing of a run is ever on
//! the host's disk, so a worker that is killed leaves nothing behind.

mod artifacts;
mod cgroup;
mod inherited;
mod launch;
mod orphans;
mod output;
mod run;
mod seccomp;
mod verdict;
mod view;
mod watch;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use shopfloor_domain::sandbox::SandboxLevel;
use tokio_util::sync::CancellationToken;

use crate::{Command, Job, Outcome, OutputSink, Sandbox, SandboxError, check, toolchain::Toolchain};

/// Runs jobs in namespaces of the host's kernel.
#[derive(Debug, Clone)]
pub(crate) struct LocalSandbox {
    bwrap: PathBuf,
    view: view::View,
    toolchain: Toolchain,
    filter: Arc<[u8]>,
    cgroups: Option<cgroup::Cgroups>,
}

/// What limits the processes of a job together.
#[derive(Debug, Clone)]
pub(crate) struct Together {
    cgroups: Option<cgroup::Cgroups>,
    /// What was found, for people.
    pub(crate) detail: String,
}

impl Together {
    /// Finds out, and removes what killed workers left behind.
    pub(crate) fn find() -> Self {
        orphans::sweep(view::INIT);
        match cgroup::find() {
            Ok(cgroups) => {
                cgroups.sweep();
                let version = if matches!(cgroups, cgroup::Cgroups::V2(_)) { 2 } else { 1 };
                Self { cgroups: Some(cgroups), detail: format!("version {version}, one group per run") }
            }
            Err(why) => Self {
                cgroups: None,
                detail: format!("{why}; memory is watched from outside instead, CPU is not limited"),
            },
        }
    }
}

impl LocalSandbox {
    /// A sandbox of these parts.
    pub(crate) fn new(bwrap: PathBuf, toolchain: Toolchain, together: Together) -> Result<Self, String> {
        let filter = seccomp::compile().map_err(|error| format!("the system-call filter cannot be built: {error}"))?;
        let view = view::View::new(toolchain.clone());
        Ok(Self { bwrap, view, toolchain, filter: filter.into(), cgroups: together.cgroups })
    }
}

#[async_trait]
impl Sandbox for LocalSandbox {
    fn level(&self) -> SandboxLevel {
        SandboxLevel::Local
    }

    async fn run(&self, job: Job, sink: OutputSink, stop: CancellationToken) -> Result<Outcome, SandboxError> {
        check::job(&job)?;
        self.toolchain.require("python")?;
        if let Command::Tool { name, .. } = &job.command {
            self.toolchain.require(name)?;
        }
        run::run(self, job, sink, stop).await
    }
}
