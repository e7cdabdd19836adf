//! The life of a question put to a person, and the ladder its deadline climbs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    machine::{Illegal, Machine},
    text::text_enum,
};

text_enum! {
    /// Where a question stands.
    QuestionStatus("question status") {
        /// Nobody has answered yet.
        Open = "open",
        /// The first answer won and is recorded.
        Answered = "answered",
        /// Its deadline passed; its default or a rejection was recorded instead.
        Expired = "expired",
        /// Its order ended without needing it.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What can happen to a question.
    QuestionEvent("question event") {
        /// Somebody (or a rule) answered.
        Answered = "answered",
        /// Somebody was reminded or the question was escalated, or its deadline was moved.
        Prompted = "prompted",
        /// The deadline passed.
        Expired = "expired",
        /// Its order ended.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What a question asks for.
    QuestionKind("question kind") {
        /// Information.
        Clarification = "clarification",
        /// Yes or no, with a comment.
        Approval = "approval",
        /// More budget.
        Budget = "budget",
    }
}

text_enum! {
    /// What happens when the deadline passes.
    #[derive(Default)]
    OnDeadline("deadline action") {
        /// The default answer is recorded; a question without one is rejected.
        #[default]
        Default = "default",
        /// The question counts as rejected and the step fails.
        Reject = "reject",
        /// The deadline is moved by its original length and the question is escalated again.
        Extend = "extend",
    }
}

impl Machine for QuestionStatus {
    type Event = QuestionEvent;
    const NAME: &'static str = "Question";
    const INITIAL: Self = Self::Open;
    const STATES: &'static [Self] = Self::ALL;
    const EVENTS: &'static [QuestionEvent] = QuestionEvent::ALL;

    fn step(self, event: QuestionEvent) -> Result<Self, Illegal<Self, QuestionEvent>> {
        use QuestionEvent as E;
        use QuestionStatus as S;
        match (self, event) {
            (S::Open, E::Prompted) => Ok(S::Open),
            (S::Open, E::Answered) => Ok(S::Answered),
            (S::Open, E::Expired) => Ok(S::Expired),
            (S::Open, E::Cancelled) => Ok(S::Cancelled),
            (state, event) => Err(Illegal { state, event }),
        }
    }
}

/// The rung of the ladder that a question has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// It was asked.
    Asked,
    /// Somebody was reminded of it.
    Reminded,
    /// It was shown to more people.
    Escalated,
    /// Its deadline passed.
    Due,
}

/// The rung a question stands on at `now`: reminded after half of its time, escalated after three quarters, due at its end.
#[must_use]
pub fn rung(asked_at: Timestamp, deadline_at: Timestamp, now: Timestamp) -> Rung {
    let whole = deadline_at.since(asked_at);
    let spent = now.since(asked_at);
    if now >= deadline_at {
        Rung::Due
    } else if spent >= whole - whole / 4 {
        Rung::Escalated
    } else if spent >= whole / 2 {
        Rung::Reminded
    } else {
        Rung::Asked
    }
}

/// How long a question waits unless its step says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    crate::machine::laws::machine_laws! {
        QuestionStatus, QuestionEvent,
        final [Answered, Expired, Cancelled],
        moves {
            Open + Answered => Answered,
            Open + Prompted => Open,
            Open + Expired => Expired,
            Open + Cancelled => Cancelled,
        }
    }

    #[test]
    fn the_rungs_of_a_hundred_seconds() {
        let at = |second: i64| rung(Timestamp(0), Timestamp(100_000), Timestamp(second * 1000));
        assert_eq!((at(-5), at(0), at(49)), (Rung::Asked, Rung::Asked, Rung::Asked));
        assert_eq!((at(50), at(74)), (Rung::Reminded, Rung::Reminded));
        assert_eq!((at(75), at(99)), (Rung::Escalated, Rung::Escalated));
        assert_eq!((at(100), at(1000)), (Rung::Due, Rung::Due));
    }

    #[test]
    fn a_question_without_time_is_due_at_once() {
        assert_eq!(rung(Timestamp(7), Timestamp(7), Timestamp(7)), Rung::Due);
        assert_eq!(rung(Timestamp(7), Timestamp(3), Timestamp(5)), Rung::Due);
    }

    proptest! {
        #[test]
        fn nobody_climbs_down(
            asked in -1_000_000_i64..1_000_000,
            whole in 0_i64..10_000_000_000,
            now in -1_000_000_i64..20_000_000_000,
            later in 0_i64..20_000_000_000,
        ) {
            let at = |now| rung(Timestamp(asked), Timestamp(asked + whole), Timestamp(now));
            prop_assert!(at(now) <= at(now + later));
        }

        #[test]
        fn due_means_that_the_deadline_is_reached(asked in any::<i32>(), whole in any::<u32>(), now in any::<i64>()) {
            let deadline = i64::from(asked) + i64::from(whole);
            let reached = rung(Timestamp(asked.into()), Timestamp(deadline), Timestamp(now)) == Rung::Due;
            prop_assert_eq!(reached, now >= deadline);
        }
    }
}
