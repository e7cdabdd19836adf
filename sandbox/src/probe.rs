//! Finds out, by trying, which sandbox this machine can offer.

use std::{path::PathBuf, sync::Arc};

use shopfloor_domain::sandbox::SandboxLevel;

use crate::Sandbox;

/// Where things are and what is demanded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The lowest level at which code may run.
    pub minimum_level: SandboxLevel,
    /// The Python toolchain's folder (a virtual environment); `None` to look in the usual places.
    pub toolchain: Option<PathBuf>,
    /// Where runs have their private folders.
    pub scratch: PathBuf,
}

/// What the machine offers.
#[derive(Clone)]
pub struct Probed {
    /// The best sandbox of at least the minimum level; one that refuses every job with a remedy when there is none.
    pub sandbox: Arc<dyn Sandbox>,
    /// The level in force.
    pub level: SandboxLevel,
    /// One line per thing that was looked at: its name, whether it is fine, what was found or what to do.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What, e.g. `bubblewrap`.
    pub name: String,
    /// Whether it is fine.
    pub ok: bool,
    /// What was found, or what to do.
    pub detail: String,
}

/// Probes once. Never fails: a machine without isolation gets a sandbox that refuses.
pub async fn probe(_settings: &Settings) -> Probed {
    todo!()
}
