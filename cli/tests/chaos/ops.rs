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

    /// What it commits that is worth being late.
    pub(crate) fn commits(self) -> &'static [Commit] {
        match self {
            Self::Api => &[Commit::Submission, Commit::Transaction],
            Self::Orchestrator(_) => &[Commit::Transaction],
            Self::Worker(_) => &[Commit::Completion, Commit::Completion, Commit::Claim, Commit::Transaction],
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

/// Something that a process makes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// The one statement of a submission without an idempotency key.
    Submission,
    /// The one statement of a claim.
    Claim,
    /// The one statement of a completion.
    Completion,
    /// The end of a transaction.
    Transaction,
}

impl Commit {
    /// What its text contains, and no other's.
    pub(crate) fn contains(self) -> &'static str {
        match self {
            Self::Submission => "'task.submitted'",
            Self::Claim => "SET status = 'claimed'",
            Self::Completion => "SET status = 'completed', lease_expires_at",
            Self::Transaction => "COMMIT",
        }
    }
}

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// SIGKILL.
    Kill(Role),
    /// SIGTERM.
    Terminate(Role),
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
    /// The next commit of this kind stays on the way, and nothing gets through between the process and PostgreSQL any more.
    Hold(Role, Commit),
    /// Nothing gets through between a process and its databases; connections stay open.
    Stall(Role),
    /// Everything between a process and its databases takes longer.
    Slow(Role, Duration),
    /// Ends what the four above began.
    Heal(Role),
    /// Sets the clock of the last worker's machine wrong by so many seconds.
    Clock(i64),
    /// An operator pauses a queue.
    Pause(&'static str),
    Resume(&'static str),
    /// An operator ends a live session: the one at this place among those that there are.
    EndSession(usize),
}

impl Op {
    /// Whether it is about Redis.
    pub(crate) fn needs_redis(self) -> bool {
        use Op::{RedisCut, RedisFlush, RedisGoOn, RedisKill, RedisStart, RedisStop};
        matches!(self, RedisKill | RedisStart | RedisStop | RedisGoOn | RedisFlush | RedisCut(_))
    }
}
