//! What can be done to a running system.

use std::time::Duration;

/// A process of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Api,
    Orchestrator(usize),
    Worker(usize),
}

impl Role {
    /// Every process.
    pub(crate) const ALL: [Self; 6] =
        [Self::Api, Self::Orchestrator(0), Self::Orchestrator(1), Self::Worker(0), Self::Worker(1), Self::Worker(2)];

    /// Its place in [`Self::ALL`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Api => 0,
            Self::Orchestrator(number) => 1 + number,
            Self::Worker(number) => 3 + number,
        }
    }

    /// Its name, for files.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Api => "api".to_owned(),
            Self::Orchestrator(number) => format!("orchestrator-{number}"),
            Self::Worker(number) => format!("worker-{number}"),
        }
    }
}

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// SIGKILL.
    Kill(Role),
    Start(Role),
    /// SIGSTOP.
    Stop(Role),
    /// SIGCONT.
    GoOn(Role),
    RedisKill,
    /// Starts it again, empty.
    RedisStart,
    RedisStop,
    RedisGoOn,
    RedisFlush,
    /// Cuts a process's connections.
    RedisCut(Role),
    PostgresCrash,
    PostgresShutDown,
    PostgresStart,
    PostgresCut(Role),
    /// The next commits of a process are acknowledged to nobody.
    LoseCommits(Role, u32),
    /// Nothing gets through between a process and its databases; connections stay open.
    Stall(Role),
    /// Everything between a process and its databases takes longer.
    Slow(Role, Duration),
    /// Ends what the three above began.
    Heal(Role),
    /// Sets the clock of the last worker's machine wrong by so many seconds.
    Clock(i64),
}
