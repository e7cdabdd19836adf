//! The life of a worker's session, and the rule by which idle and old ones end.

use std::time::Duration;

use crate::{
    Timestamp,
    machine::{Illegal, Machine},
    text::text_enum,
};

text_enum! {
    /// Where a session stands.
    SessionStatus("session status") {
        /// Its worker did something with it recently.
        Active = "active",
        /// Nothing happened for a while; it is still held.
        Idle = "idle",
        /// Over.
        Terminated = "terminated",
    }
}

text_enum! {
    /// What can happen to a session.
    SessionEvent("session event") {
        /// A heartbeat or a piece of work.
        Activity = "activity",
        /// Nothing happened for a while.
        WentIdle = "went_idle",
        /// It ended, for an [`EndReason`].
        Terminated = "terminated",
    }
}

text_enum! {
    /// Why a session ended.
    EndReason("session end reason") {
        /// Its work is finished.
        Finished = "finished",
        /// Idle for longer than allowed.
        Idle = "idle_timeout",
        /// Older than allowed.
        Age = "max_age",
        /// Its order was parked for a person.
        Parked = "parked",
        /// Its worker died or lost the lease.
        WorkerLost = "worker_lost",
        /// Its worker handed the order back.
        Released = "released",
        /// Somebody ended it over the API.
        Requested = "requested",
    }
}

impl Machine for SessionStatus {
    type Event = SessionEvent;
    const NAME: &'static str = "Session";
    const INITIAL: Self = Self::Active;
    const STATES: &'static [Self] = Self::ALL;
    const EVENTS: &'static [SessionEvent] = SessionEvent::ALL;

    fn step(self, event: SessionEvent) -> Result<Self, Illegal<Self, SessionEvent>> {
        use SessionEvent as E;
        use SessionStatus as S;
        match (self, event) {
            (S::Active | S::Idle, E::Activity) => Ok(S::Active),
            (S::Active, E::WentIdle) => Ok(S::Idle),
            (S::Active | S::Idle, E::Terminated) => Ok(S::Terminated),
            (state, event) => Err(Illegal { state, event }),
        }
    }
}

/// When a session must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// A session without activity for longer than this ends.
    pub idle_timeout: Duration,
    /// A session older than this ends, however busy.
    pub max_age: Duration,
    /// A session without activity for longer than this is shown as idle.
    pub idle_after: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self { idle_timeout: minutes(30), max_age: minutes(60), idle_after: minutes(1) }
    }
}

impl SessionPolicy {
    /// Why a session must end at `now`, or `None` while it may live. Age is looked at first.
    #[must_use]
    pub fn end_reason(&self, created_at: Timestamp, last_activity_at: Timestamp, now: Timestamp) -> Option<EndReason> {
        if now.since(created_at) > self.max_age {
            Some(EndReason::Age)
        } else if now.since(last_activity_at) > self.idle_timeout {
            Some(EndReason::Idle)
        } else {
            None
        }
    }
}
