//! Finds out, by trying, which sandbox this machine can offer.

mod remedy;
mod trial;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use shopfloor_domain::sandbox::SandboxLevel;

use crate::{
    Sandbox,
    local::{LocalSandbox, Together},
    refusing::Refusing,
    toolchain::Toolchain,
};

/// Where things are and what is demanded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The lowest level at which code may run.
    pub minimum_level: SandboxLevel,
    /// The Python toolchain's folder (a virtual environment); `None` to look in the usual places.
    pub toolchain: Option<PathBuf>,
    /// Where runs have their private folders. The `local` level needs none: its folders are in memory.
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

impl Finding {
    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, detail: detail.into() }
    }

    fn bad(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.into(), ok: false, detail: detail.into() }
    }
}

/// Probes once. Never fails: a machine without isolation gets a sandbox that refuses.
pub async fn probe(settings: &Settings) -> Probed {
    let path = std::env::var_os("PATH").unwrap_or_default();
    probe_with(settings, find_program("bwrap", &path)).await
}

async fn probe_with(settings: &Settings, bwrap: Option<PathBuf>) -> Probed {
    let named = settings.toolchain.clone();
    let looked = tokio::task::spawn_blocking(move || (Toolchain::find(named.as_deref()), Together::find()));
    let Ok((toolchain, together)) = looked.await else {
        return refuse(settings, "the probe itself failed".into(), Vec::new());
    };
    let mut findings = vec![match &bwrap {
        Some(path) => Finding::ok("bubblewrap", path.display().to_string()),
        None => Finding::bad("bubblewrap", remedy::NO_BUBBLEWRAP),
    }];
    findings.push(match &toolchain {
        Ok(toolchain) => Finding::ok("toolchain", toolchain.root.display().to_string()),
        Err(problem) => Finding::bad("toolchain", problem.clone()),
    });
    findings.push(Finding::ok("cgroup", &together.detail));
    let (Some(bwrap), Ok(toolchain)) = (bwrap, toolchain) else {
        let missing = findings.iter().filter(|finding| !finding.ok).map(|finding| finding.detail.clone());
        return refuse(settings, missing.collect::<Vec<_>>().join("; "), findings);
    };
    match LocalSandbox::new(bwrap, toolchain, together) {
        Ok(sandbox) => decide(settings, sandbox, findings).await,
        Err(problem) => {
            findings.push(Finding::bad("seccomp", problem.clone()));
            refuse(settings, problem, findings)
        }
    }
}

async fn decide(settings: &Settings, sandbox: LocalSandbox, mut findings: Vec<Finding>) -> Probed {
    let tried = trial::run(&sandbox).await;
    findings.extend(tried.findings);
    if let Some(problem) = tried.problem {
        return refuse(settings, problem, findings);
    }
    if settings.minimum_level > SandboxLevel::Local {
        return refuse(settings, remedy::NO_CONTAINERS.into(), findings);
    }
    Probed { level: sandbox.level(), sandbox: Arc::new(sandbox), findings }
}

fn refuse(settings: &Settings, remedy: String, findings: Vec<Finding>) -> Probed {
    let required = settings.minimum_level.max(SandboxLevel::Local);
    Probed { sandbox: Arc::new(Refusing { required, remedy }), level: SandboxLevel::None, findings }
}

fn find_program(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    let runs = |path: &PathBuf| path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    let usual = [Path::new("/usr/bin").to_owned(), Path::new("/usr/local/bin").to_owned()];
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_bubblewrap_nothing_runs() {
        let scratch = std::env::temp_dir();
        let settings = Settings { minimum_level: SandboxLevel::None, toolchain: None, scratch };
        let probed = probe_with(&settings, None).await;
        assert_eq!((probed.level, probed.sandbox.level()), (SandboxLevel::None, SandboxLevel::None));
        let finding = probed.findings.iter().find(|finding| finding.name == "bubblewrap").unwrap();
        assert!(!finding.ok && finding.detail.contains("apt-get install bubblewrap"), "{finding:?}");
    }

    #[tokio::test]
    async fn a_bubblewrap_that_fails_is_not_used() {
        let settings = Settings { minimum_level: SandboxLevel::Local, toolchain: None, scratch: std::env::temp_dir() };
        for program in ["/bin/false", "/bin/true", "/nowhere/bwrap"] {
            let probed = probe_with(&settings, Some(program.into())).await;
            assert_eq!(probed.level, SandboxLevel::None, "{program}: {:?}", probed.findings);
            assert!(probed.findings.iter().any(|finding| !finding.ok), "{program}");
        }
    }

    #[test]
    fn programs_are_looked_for_in_absolute_folders() {
        assert_eq!(find_program("sh", "relative:/bin".as_ref()), Some("/bin/sh".into()));
        assert_eq!(find_program("no-such-program", "/bin".as_ref()), None);
    }
}
