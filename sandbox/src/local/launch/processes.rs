//! What has to be killed to end a sandbox, and when it may be.

use std::{
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::process::{Signal, pidfd_send_signal};

/// The two processes that everything hangs on. Process 1 takes the whole sandbox along, `bwrap` included; `bwrap` does not
/// take process 1 along while it is still being set up, so it is left alone until then.
#[derive(Default)]
pub(super) struct Processes(Mutex<Known>);

#[derive(Default)]
struct Known {
    bwrap: Option<OwnedFd>,
    init: Option<OwnedFd>,
    doomed: bool,
}

impl Processes {
    fn with<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn kill(&self) {
        self.with(|known| {
            known.doomed = true;
            kill(known.init.as_ref());
        });
    }

    pub(super) fn give_up(&self) {
        self.with(|known| {
            known.doomed = true;
            kill(known.init.as_ref());
            kill(known.bwrap.as_ref());
        });
    }

    pub(super) fn add_bwrap(&self, process: OwnedFd) {
        self.with(|known| known.bwrap = Some(process));
    }

    pub(super) fn add_init(&self, process: OwnedFd) {
        self.with(|known| {
            known.init = Some(process);
            if known.doomed {
                kill(known.init.as_ref());
            }
        });
    }
}

fn kill(process: Option<&OwnedFd>) {
    if let Some(process) = process {
        // It may be gone already, which is as good.
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
}
