//! Processes to be killed, stopped and started again.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables to set; those in `forget` are removed.
    pub envs: Vec<(OsString, OsString)>,
    /// Variables of this process that it must not see.
    pub forget: Vec<OsString>,
    /// Where its output goes; every start appends.
    pub log: PathBuf,
}

/// A running program in a process group of its own. It dies with this value, and with this process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(program: &Program) -> Self {
        let log = log_file(program);
        let errors = log.try_clone().expect("the log once more");
        // `setpriv` becomes the program: the process id is the program's.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&program.path).args(&program.args);
        command.envs(program.envs.iter().map(|(name, value)| (name, value)));
        for name in &program.forget {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("starting {}: {error}", program.path.display()));
        let pid = child.id().try_into().ok().and_then(Pid::from_raw).expect("a process id");
        Self { child, pid }
    }

    /// Kills it with SIGKILL, and waits for its end. What it started lives on unless it sees to that itself.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it (SIGSTOP): connections stay open and nothing moves.
    pub fn stop(&self) {
        let _ = kill_process(self.pid, Signal::STOP);
    }

    /// Lets it go on after [`Self::stop`].
    pub fn go_on(&self) {
        let _ = kill_process(self.pid, Signal::CONT);
    }

    /// Asks it to end (SIGTERM).
    pub fn ask_to_end(&self) {
        let _ = kill_process(self.pid, Signal::TERM);
    }

    /// How it ended; `None` while it lives.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // While its leader is not waited for, the group's number belongs to nobody else.
        if self.ended().is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        self.kill();
    }
}

fn log_file(program: &Program) -> File {
    let log = OpenOptions::new().create(true).append(true).open(&program.log);
    log.unwrap_or_else(|error| panic!("opening {}: {error}", program.log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    fn shell(scratch: &Scratch, script: &str) -> Program {
        let (args, log) = (vec!["-c".into(), script.into()], scratch.path().join("log"));
        Program { path: "sh".into(), args, envs: Vec::new(), forget: Vec::new(), log }
    }

    #[test]
    fn a_program_says_how_it_ended_and_can_be_killed() {
        let scratch = Scratch::new();
        let mut ended = Process::start(&shell(&scratch, "echo here; exit 3"));
        let status = loop {
            if let Some(status) = ended.ended() {
                break status;
            }
            std::thread::yield_now();
        };
        assert_eq!(status.code(), Some(3));
        assert_eq!(std::fs::read_to_string(scratch.path().join("log")).unwrap(), "here\n");
        let mut sleeper = Process::start(&shell(&scratch, "exec sleep 1000"));
        sleeper.stop();
        assert!(sleeper.ended().is_none());
        sleeper.kill();
        assert!(sleeper.ended().is_some(), "a stopped program can be killed");
    }
}
