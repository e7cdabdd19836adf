//! Starts `bwrap` and waits for its end, on a thread of its own.
//!
//! Of its own, because the kernel kills `bwrap` when the thread that started it ends (`--die-with-parent`): a thread of
//! the runtime may end at any time, this one ends after the sandbox. It also cleans up, whatever became of the caller.

mod handover;
mod processes;

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, ExitStatus},
    sync::Arc,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags, open},
    io::retry_on_intr,
    process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid},
};
use shopfloor_domain::sandbox::Limits;
use tokio::sync::oneshot;

use self::{
    handover::{Pipes, spawn},
    processes::Processes,
};
use super::{
    cgroup::{Alarm, Cgroups, Group, Usage},
    view::Plan,
};

pub(super) use self::handover::{FILTER_FD, FIRST_FILE_FD};

const MESSAGE_BYTES: u64 = 4096;
const DEATH: Duration = Duration::from_secs(10);

/// What to start.
pub(super) struct Launch {
    pub(super) bwrap: PathBuf,
    pub(super) plan: Plan,
    pub(super) filter: Arc<[u8]>,
    pub(super) cgroups: Option<Cgroups>,
    pub(super) limits: Limits,
}

/// A sandbox that stands; the job begins when something is written to `go`.
pub(super) struct Started {
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) go: File,
    /// The sandbox's folders `/work`, `/tmp`, `/dev/shm`. They stay readable after its end, until they are closed.
    pub(super) folders: [OwnedFd; 3],
    /// The sandbox's `/proc`.
    pub(super) proc: OwnedFd,
    /// Tells that its control group ran out of memory, when it has one.
    pub(super) alarm: Option<Alarm>,
}

/// How a sandbox ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) usage: Usage,
}

/// Why a sandbox does not stand.
#[derive(Debug)]
pub(super) enum Failed {
    /// Something here went wrong.
    Io(&'static str, io::Error),
    /// `bwrap` gave up with this message.
    Bwrap(String),
}

/// A sandbox that is being started or runs. Dropping it kills everything in it.
pub(super) struct Launched {
    pub(super) started: oneshot::Receiver<Result<Started, Failed>>,
    pub(super) ended: oneshot::Receiver<Ended>,
    processes: Arc<Processes>,
}

impl Launched {
    /// Kills everything in the sandbox, for good: at once, or as soon as there is something to kill.
    pub(super) fn kill(&self) {
        self.processes.kill();
    }

    /// Kills `bwrap` itself, when it does not get as far as to start anything.
    pub(super) fn give_up(&self) {
        self.processes.give_up();
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a sandbox.
pub(super) fn launch(launch: Launch) -> io::Result<Launched> {
    let (tell_started, started) = oneshot::channel();
    let (tell_ended, ended) = oneshot::channel();
    let processes = Arc::new(Processes::default());
    let known = Arc::clone(&processes);
    std::thread::Builder::new().name("sandbox".into()).spawn(move || {
        let running = match Running::start(launch, &known) {
            Ok((running, started)) => {
                let _ = tell_started.send(Ok(started));
                running
            }
            Err(failed) => {
                let _ = tell_started.send(Err(failed));
                return;
            }
        };
        if let Ok(end) = running.wait() {
            let _ = tell_ended.send(end);
        }
    })?;
    Ok(Launched { started, ended, processes })
}

struct Running {
    child: Child,
    init: OwnedFd,
    group: Option<Group>,
}

impl Running {
    fn start(launch: Launch, processes: &Processes) -> Result<(Self, Started), Failed> {
        let doing = |what| move |error: io::Error| Failed::Io(what, error);
        let group = launch.cgroups.as_ref().map(|cgroups| cgroups.create(&launch.limits)).transpose();
        let group = group.map_err(doing("making a control group"))?;
        let mut pipes = Pipes::new().map_err(doing("making pipes"))?;
        let mut child = spawn(&launch, &mut pipes).map_err(doing("starting bwrap"))?;
        let outer = pid_of(&child).and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
        match outer.map_err(doing("watching bwrap")) {
            Ok(outer) => processes.add_bwrap(outer),
            Err(failed) => {
                let _ = child.kill();
                return Err(give_up(child, failed));
            }
        }
        match stand(&mut child, pipes, group.as_ref(), processes) {
            Ok((started, init)) => Ok((Self { child, init, group }, started)),
            Err(error) => {
                processes.kill();
                Err(give_up(child, Failed::Io("setting the sandbox up", error)))
            }
        }
    }

    /// Waits until nothing of the sandbox is alive, then removes its control group.
    fn wait(mut self) -> io::Result<Ended> {
        let pid = pid_of(&self.child)?;
        retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT))?;
        let mut usage = Usage { cpu: cpu_of_zombie(pid), ..Usage::default() };
        let status = self.child.wait()?;
        // `bwrap` ends after process 1, unless it was killed itself. The kernel reports the end of process 1 only when
        // every other process of its namespace is gone.
        let limit = rustix::fs::Timespec { tv_sec: DEATH.as_secs().cast_signed(), tv_nsec: 0 };
        if retry_on_intr(|| poll(&mut [PollFd::new(&self.init, PollFlags::IN)], Some(&limit)))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the sandbox does not die"));
        }
        if let Some(group) = self.group.take() {
            usage = group.usage();
        }
        Ok(Ended { status, usage })
    }
}

/// Waits until the sandbox stands, opens its folders and puts it into its control group.
fn stand(
    child: &mut Child,
    mut pipes: Pipes,
    group: Option<&Group>,
    processes: &Processes,
) -> io::Result<(Started, OwnedFd)> {
    let pid = child_pid(&pipes.info)?;
    let init = pidfd_open(pid, PidfdFlags::empty())?;
    processes.add_init(init.try_clone()?);
    pipes.ready.read_exact(&mut [0])?;
    let root = PathBuf::from(format!("/proc/{}/root", pid.as_raw_nonzero()));
    let folder = |path: &str| -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(open(root.join(path), flags, Mode::empty())?)
    };
    let folders = [folder("work")?, folder("tmp")?, folder("dev/shm")?];
    if let Some(group) = group {
        group.add(pid)?;
    }
    // When the machine runs out of memory, a job should be the first to go.
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", pid.as_raw_nonzero()), "1000");
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("bwrap has no output"));
    };
    let (stdout, stderr, proc) = (stdout.into(), stderr.into(), folder("proc")?);
    let started = Started { stdout, stderr, go: pipes.go, folders, proc, alarm: group.and_then(Group::alarm) };
    Ok((started, init))
}

/// Reads the process id of the sandbox's process 1, as we see it.
fn child_pid(info: &File) -> io::Result<Pid> {
    let mut text = Vec::new();
    let mut buffer = [0; 512];
    while text.len() < MESSAGE_BYTES as usize {
        let count = retry_on_intr(|| rustix::io::read(&*info, &mut buffer))?;
        text.extend_from_slice(&buffer[..count]);
        if let Ok(info) = serde_json::from_slice::<serde_json::Value>(&text) {
            let pid = info.get("child-pid").and_then(serde_json::Value::as_i64);
            let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
            return pid.ok_or_else(|| io::Error::other("bwrap named no process"));
        }
        if count == 0 {
            break;
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Reaps `bwrap`, and prefers its own message to our view of the failure.
fn give_up(mut child: Child, failed: Failed) -> Failed {
    let mut message = Vec::new();
    let stderr = child.stderr.take();
    let _ = child.wait();
    if let Some(stderr) = stderr {
        let _ = stderr.take(MESSAGE_BYTES).read_to_end(&mut message);
    }
    let message = String::from_utf8_lossy(&message).trim().to_owned();
    if message.is_empty() { failed } else { Failed::Bwrap(message) }
}

fn pid_of(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("bwrap has no process id"))
}

/// The CPU time of a process that has ended and of what it has waited for, to the precision of the kernel's ticks.
fn cpu_of_zombie(pid: Pid) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)))
}
