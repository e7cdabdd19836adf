//! Keeps an eye on the memory of a running job. Where there is no control group, somebody has to add up what its processes
//! use together.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::fs::{Dir, Mode, OFlags, fstatfs, openat};
use tokio::time::{MissedTickBehavior, interval_at};

use super::cgroup::Alarm;

const EVERY: Duration = Duration::from_millis(50);
/// Files and folders in the writable places together: each costs kernel memory that no size limit counts.
const INODES: u64 = 100_000;
const TEXT_BYTES: u64 = 16 * 1024;

/// What was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    Memory,
    Files,
}

/// Looks at a run from outside.
pub(super) enum Watch {
    /// It has a control group, which kills one process when memory runs out; the others might wait for that one for ever.
    Alarm(Alarm),
    /// It has none.
    Sum(Sum),
}

/// Adds up what a run uses.
pub(super) struct Sum {
    proc: OwnedFd,
    folders: Vec<OwnedFd>,
    memory_bytes: u64,
    peak: AtomicU64,
}

impl Watch {
    pub(super) fn new(alarm: Option<Alarm>, proc: OwnedFd, folders: Vec<OwnedFd>, memory_bytes: u64) -> Arc<Self> {
        let sum = || Self::Sum(Sum { proc, folders, memory_bytes, peak: AtomicU64::new(0) });
        Arc::new(alarm.map_or_else(sum, Self::Alarm))
    }

    /// The most memory that was seen, if it was looked at all.
    pub(super) fn peak(&self) -> Option<u64> {
        match self {
            Self::Alarm(_) => None,
            Self::Sum(sum) => Some(sum.peak.load(Ordering::Relaxed)).filter(|peak| *peak > 0),
        }
    }

    /// Looks again and again; ends when something is too much.
    pub(super) async fn excess(self: Arc<Self>) -> Excess {
        let mut tick = interval_at(tokio::time::Instant::now() + EVERY, EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let it = Arc::clone(&self);
            if let Ok(Some(excess)) = tokio::task::spawn_blocking(move || it.look()).await {
                return excess;
            }
        }
    }

    fn look(&self) -> Option<Excess> {
        match self {
            Self::Alarm(alarm) => alarm.raised().then_some(Excess::Memory),
            Self::Sum(sum) => sum.look(),
        }
    }
}

impl Sum {
    fn look(&self) -> Option<Excess> {
        let (mut bytes, mut inodes) = (0, 0);
        for stat in self.folders.iter().filter_map(|folder| fstatfs(folder).ok()) {
            bytes += stat.f_blocks.saturating_sub(stat.f_bfree) * u64::try_from(stat.f_bsize).unwrap_or(0);
            inodes += stat.f_files.saturating_sub(stat.f_ffree);
        }
        let processes = self.processes();
        let mut memory = bytes + processes.iter().map(|pid| self.resident(pid)).sum::<u64>();
        if memory > self.memory_bytes {
            // Pages that processes share were counted for each of them; the exact sum is dearer.
            memory = bytes + processes.iter().map(|pid| self.proportional(pid)).sum::<u64>();
        }
        self.peak.fetch_max(memory, Ordering::Relaxed);
        match () {
            () if memory > self.memory_bytes => Some(Excess::Memory),
            () if inodes > INODES => Some(Excess::Files),
            () => None,
        }
    }

    fn processes(&self) -> Vec<String> {
        let Ok(entries) = Dir::read_from(&self.proc) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect()
    }

    fn resident(&self, pid: &str) -> u64 {
        let pages = self.read(pid, "statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
        pages.unwrap_or(0) * rustix::param::page_size() as u64
    }

    fn proportional(&self, pid: &str) -> u64 {
        let text = self.read(pid, "smaps_rollup").unwrap_or_default();
        let kib =
            text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map_or_else(|| self.resident(pid), |kib| kib * 1024)
    }

    fn read(&self, pid: &str, file: &str) -> io::Result<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut text = String::new();
        let file = File::from(openat(&self.proc, format!("{pid}/{file}"), flags, Mode::empty())?);
        file.take(TEXT_BYTES).read_to_string(&mut text)?;
        Ok(text)
    }
}
