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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    crate::machine::laws::machine_laws! {
        SessionStatus, SessionEvent,
        final [Terminated],
        moves {
            Active + Activity => Active,
            Active + WentIdle => Idle,
            Active + Terminated => Terminated,
            Idle + Activity => Active,
            Idle + Terminated => Terminated,
        }
    }

    /// The end reason of a session this old whose last activity was this long ago, in minutes and milliseconds.
    fn reason(age: (i64, i64), idle: (i64, i64)) -> Option<EndReason> {
        let ms = |(minutes, ms): (i64, i64)| minutes * 60_000 + ms;
        let now = 10_000_000;
        SessionPolicy::default().end_reason(Timestamp(now - ms(age)), Timestamp(now - ms(idle)), Timestamp(now))
    }

    #[test]
    fn thirty_minutes_idle_or_an_hour_old() {
        assert_eq!(reason((30, 0), (30, 0)), None, "thirty minutes are allowed");
        assert_eq!(reason((30, 1), (30, 1)), Some(EndReason::Idle));
        assert_eq!(reason((60, 0), (0, 0)), None, "an hour is allowed");
        assert_eq!(reason((60, 1), (0, 0)), Some(EndReason::Age), "however busy");
        assert_eq!(reason((60, 1), (59, 0)), Some(EndReason::Age), "age is looked at first");
        assert_eq!(reason((-1, 0), (-1, 0)), None, "a session from the future lives");
    }

    proptest! {
        #[test]
        fn once_a_session_must_end_it_stays_so(
            created in 0_i64..1_000_000,
            active in 0_i64..10_000_000,
            now in 0_i64..20_000_000,
            later in 0_i64..10_000_000,
        ) {
            let policy = SessionPolicy::default();
            let at = |now| policy.end_reason(Timestamp(created), Timestamp(created + active), Timestamp(now));
            prop_assert!(at(now).is_none() || at(now + later).is_some());
        }
    }
}
