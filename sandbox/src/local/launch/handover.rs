//! Starts `bwrap` with everything that it is given by descriptor: the pipes to it, the filter, its options, the files.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Seek, Write},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    process::{Child, Command, Stdio},
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    pipe::{PipeFlags, pipe_with},
};

use super::{
    super::{inherited, view::NOBODY},
    Launch,
};

/// Descriptors in `bwrap`; process 1 knows the first two.
const READY_FD: i32 = 3;
const GO_FD: i32 = 4;
const INFO_FD: i32 = 5;
const OPTIONS_FD: i32 = 7;
/// Where the system-call filter is read from.
pub(crate) const FILTER_FD: usize = 6;
/// The first descriptor of the plan's files.
pub(crate) const FIRST_FILE_FD: usize = 8;

/// Our ends of the pipes, and the other ones until they are handed over.
pub(super) struct Pipes {
    pub(super) ready: File,
    pub(super) go: File,
    pub(super) info: File,
    theirs: Vec<FdMapping>,
}

impl Pipes {
    pub(super) fn new() -> io::Result<Self> {
        let (ready, their_ready) = pipe_with(PipeFlags::CLOEXEC)?;
        let (their_go, go) = pipe_with(PipeFlags::CLOEXEC)?;
        let (info, their_info) = pipe_with(PipeFlags::CLOEXEC)?;
        let theirs = vec![
            FdMapping { parent_fd: their_ready, child_fd: READY_FD },
            FdMapping { parent_fd: their_go, child_fd: GO_FD },
            FdMapping { parent_fd: their_info, child_fd: INFO_FD },
        ];
        Ok(Self { ready: ready.into(), go: go.into(), info: info.into(), theirs })
    }
}

pub(super) fn spawn(launch: &Launch, pipes: &mut Pipes) -> io::Result<Child> {
    let mut mappings = std::mem::take(&mut pipes.theirs);
    let mut give = |child_fd: usize, bytes: &[u8]| -> io::Result<()> {
        let child_fd = i32::try_from(child_fd).map_err(io::Error::other)?;
        mappings.push(FdMapping { parent_fd: in_memory(bytes)?, child_fd });
        Ok(())
    };
    give(FILTER_FD, &launch.filter)?;
    give(OPTIONS_FD as usize, &joined(&launch.plan.options))?;
    for (at, bytes) in launch.plan.files.iter().enumerate() {
        give(FIRST_FILE_FD + at, bytes)?;
    }
    mappings.extend(inherited::covers(FIRST_FILE_FD + launch.plan.files.len())?);

    let mut command = Command::new(&launch.bwrap);
    command.args(["--args", &OPTIONS_FD.to_string(), "--info-fd", &INFO_FD.to_string(), "--"]);
    command.args(&launch.plan.command).env_clear().envs(launch.plan.env.iter().map(|(name, value)| (name, value)));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        // Root's processes are not counted by the process limit, and own much that the kernel shows.
        command.uid(NOBODY).gid(NOBODY);
    }
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    command.spawn()
}

fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("sandbox", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn joined(options: &[OsString]) -> Vec<u8> {
    options.iter().flat_map(|option| option.as_bytes().iter().copied().chain([0])).collect()
}
