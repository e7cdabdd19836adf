//! When a question has to be looked at next. Pure; [`shopfloor_domain::question::rung`] decides, this only says when.

use std::time::Duration;

use shopfloor_domain::{
    Timestamp,
    question::{DEFAULT_DEADLINE, Rung},
    time::millis,
};

use super::Question;

/// When a question that stands on `rung` reaches the next one.
pub(super) fn next_rung_at(asked_at: Timestamp, deadline_at: Timestamp, rung: Rung) -> Timestamp {
    let whole = millis(deadline_at.since(asked_at));
    let spent = match rung {
        Rung::Asked => whole.saturating_add(1) / 2,
        // Three quarters, rounded up, without leaving the numbers.
        Rung::Reminded => whole - whole / 4,
        Rung::Escalated | Rung::Due => whole,
    };
    asked_at + Duration::from_millis(u64::try_from(spent).unwrap_or(0))
}

/// When the time of a question that is extended at `now` is up: it gets its original length again.
pub(super) fn extended(question: &Question, now: Timestamp) -> Timestamp {
    let length = question.deadline_at.since(question.asked_at);
    now + if length.is_zero() { DEFAULT_DEADLINE } else { length }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shopfloor_domain::question::rung;

    use super::*;

    proptest! {
        #[test]
        fn the_next_rung_is_reached_then_and_not_before(asked in -1000_i64..1_000_000, whole in 4_i64..10_000_000_000) {
            let (asked, deadline) = (Timestamp(asked), Timestamp(asked + whole));
            for standing in [Rung::Asked, Rung::Reminded, Rung::Escalated] {
                let at = next_rung_at(asked, deadline, standing);
                prop_assert!(rung(asked, deadline, at) > standing);
                prop_assert!(rung(asked, deadline, Timestamp(at.0 - 1)) <= standing);
            }
        }
    }
}
