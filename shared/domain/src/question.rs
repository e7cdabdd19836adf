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
    } else if spent >= whole.mul_f64(0.75) {
        Rung::Escalated
    } else if spent >= whole / 2 {
        Rung::Reminded
    } else {
        Rung::Asked
    }
}

/// How long a question waits unless its step says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);
