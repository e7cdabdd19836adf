//! Control groups: the only limits that hold for all processes of a job together. Version 2 and version 1, where we may
//! make a group of our own; one group per run, removed after it.

mod find;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::process::Pid;
use shopfloor_domain::sandbox::Limits;

pub(super) use find::find;

const PREFIX: &str = "shopfloor-job-";
const CPU_PERIOD: u64 = 100_000;
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cgroups {
    /// One folder for everything; its children have the `memory` and `pids` controllers.
    V2(PathBuf),
    /// One folder per controller; `memory` and `pids` are among them. Some may share a folder.
    V1(Vec<(Controller, PathBuf)>),
}

/// A controller that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
    Cpu,
    CpuAccount,
}

/// The group of one run. Dropping it removes it, which needs its processes to be gone.
#[derive(Debug)]
pub(super) struct Group {
    parts: Cgroups,
}

/// Tells whether the kernel killed a process of a group for want of memory.
#[derive(Debug)]
pub(super) struct Alarm(PathBuf);

impl Alarm {
    pub(super) fn raised(&self) -> bool {
        field(&self.0, "oom_kill").is_some_and(|kills| kills > 0)
    }
}

/// What a run has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) cpu: Option<Duration>,
    pub(super) peak_memory: Option<u64>,
    /// Whether the kernel killed a process for want of memory.
    pub(super) out_of_memory: bool,
}

impl Cgroups {
    /// Makes a group with these limits.
    pub(super) fn create(&self, limits: &Limits) -> io::Result<Group> {
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let parts = match self {
            Self::V2(parent) => Self::V2(parent.join(&name)),
            Self::V1(parents) => Self::V1(parents.iter().map(|(of, parent)| (*of, parent.join(&name))).collect()),
        };
        let group = Group { parts };
        for folder in group.folders() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        group.limit(limits)?;
        Ok(group)
    }

    /// Removes the groups of processes of ours that are gone. Returns how many.
    pub(super) fn sweep(&self) -> usize {
        let parents: Vec<&Path> = match self {
            Self::V2(parent) => vec![parent],
            Self::V1(parents) => parents.iter().map(|(_, parent)| parent.as_path()).collect(),
        };
        let stale = |entry: &fs::DirEntry| {
            let name = entry.file_name().into_string().unwrap_or_default();
            let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
            owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
        };
        let entries = parents.into_iter().flat_map(|parent| fs::read_dir(parent).into_iter().flatten().flatten());
        entries.filter(stale).filter(|entry| fs::remove_dir(entry.path()).is_ok()).count()
    }
}

impl Group {
    /// Puts a process into the group; its later children are in it as well.
    pub(super) fn add(&self, pid: Pid) -> io::Result<()> {
        let pid = pid.as_raw_nonzero().to_string();
        self.folders().into_iter().try_for_each(|folder| fs::write(folder.join("cgroup.procs"), &pid))
    }

    /// Its alarm.
    pub(super) fn alarm(&self) -> Option<Alarm> {
        let folder = self.folder(Controller::Memory)?;
        Some(Alarm(folder.join(match &self.parts {
            Cgroups::V2(_) => "memory.events",
            Cgroups::V1(_) => "memory.oom_control",
        })))
    }

    /// What its processes have used so far.
    pub(super) fn usage(&self) -> Usage {
        match &self.parts {
            Cgroups::V2(folder) => Usage {
                cpu: field(&folder.join("cpu.stat"), "usage_usec").map(Duration::from_micros),
                peak_memory: number(&folder.join("memory.peak")),
                out_of_memory: self.alarm().is_some_and(|alarm| alarm.raised()),
            },
            Cgroups::V1(_) => {
                let of = |controller, file: &str| self.folder(controller).map(|folder| folder.join(file));
                Usage {
                    cpu: of(Controller::CpuAccount, "cpuacct.usage")
                        .and_then(|path| number(&path))
                        .map(Duration::from_nanos),
                    peak_memory: of(Controller::Memory, "memory.max_usage_in_bytes").and_then(|path| number(&path)),
                    out_of_memory: self.alarm().is_some_and(|alarm| alarm.raised()),
                }
            }
        }
    }

    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let memory = limits.memory_bytes.to_string();
        // Process 1 is ours and counts.
        let processes = (u64::from(limits.processes) + 1).to_string();
        let quota = (u64::from(limits.cpu_millis) * CPU_PERIOD / 1000).to_string();
        match &self.parts {
            Cgroups::V2(folder) => {
                fs::write(folder.join("memory.max"), memory)?;
                fs::write(folder.join("pids.max"), processes)?;
                write_if_there(&folder.join("memory.swap.max"), "0")?;
                write_if_there(&folder.join("cpu.max"), &format!("{quota} {CPU_PERIOD}"))
            }
            Cgroups::V1(parts) => parts.iter().try_for_each(|(of, folder)| match of {
                Controller::Memory => {
                    fs::write(folder.join("memory.limit_in_bytes"), &memory)?;
                    write_if_there(&folder.join("memory.memsw.limit_in_bytes"), &memory)
                }
                Controller::Pids => fs::write(folder.join("pids.max"), &processes),
                Controller::Cpu => {
                    write_if_there(&folder.join("cpu.cfs_period_us"), &CPU_PERIOD.to_string())?;
                    write_if_there(&folder.join("cpu.cfs_quota_us"), &quota)
                }
                Controller::CpuAccount => Ok(()),
            }),
        }
    }

    fn folder(&self, controller: Controller) -> Option<&Path> {
        match &self.parts {
            Cgroups::V2(folder) => Some(folder),
            Cgroups::V1(parts) => parts.iter().find(|(of, _)| *of == controller).map(|(_, folder)| folder.as_path()),
        }
    }

    fn folders(&self) -> Vec<&Path> {
        match &self.parts {
            Cgroups::V2(folder) => vec![folder],
            Cgroups::V1(parts) => {
                let mut folders: Vec<&Path> = parts.iter().map(|(_, folder)| folder.as_path()).collect();
                folders.dedup();
                folders
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in self.folders() {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, "Left the control group {} behind", folder.display());
                }
                _ => {}
            }
        }
    }
}

fn write_if_there(path: &Path, value: &str) -> io::Result<()> {
    if path.exists() { fs::write(path, value) } else { Ok(()) }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_writes_limits_and_reads_usage() {
        let parent = tempfile::tempdir().unwrap();
        let group = Cgroups::V2(parent.path().to_owned()).create(&Limits::default()).unwrap();
        let folder = group.folder(Controller::Memory).unwrap().to_owned();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("memory.max"), (2048_u64 * 1024 * 1024).to_string());
        assert_eq!(read("pids.max"), "129");
        group.add(Pid::from_raw(4711).unwrap()).unwrap();
        assert_eq!(read("cgroup.procs"), "4711");
        fs::write(folder.join("cpu.stat"), "usage_usec 1500\nuser_usec 1\n").unwrap();
        fs::write(folder.join("memory.events"), "low 0\noom 3\noom_kill 1\n").unwrap();
        let usage = group.usage();
        assert_eq!(usage, Usage { cpu: Some(Duration::from_micros(1500)), peak_memory: None, out_of_memory: true });
    }

    #[test]
    fn sweeps_the_groups_of_dead_processes_only() {
        let parent = tempfile::tempdir().unwrap();
        let ours = parent.path().join(format!("{PREFIX}{}-0", std::process::id()));
        for folder in [&ours, &parent.path().join(format!("{PREFIX}999999999-0")), &parent.path().join("other")] {
            fs::create_dir(folder).unwrap();
        }
        assert_eq!(Cgroups::V2(parent.path().to_owned()).sweep(), 1);
        assert!(ours.exists() && parent.path().join("other").exists());
    }
}
