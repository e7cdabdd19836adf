//! The mistakes of others, made on purpose: for each, the checker finds the history in which it does harm.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shopfloor_model::{
        Action, Fault, Flaw, Mode, Protocol,
        property::{LIMIT, NEVER_STUCK, NO_GHOST, ONE_END, STEP_ONCE},
    };
    use stateright::{Checker as _, HasDiscoveries, Model as _};

    /// The shortest history in which `property` is violated.
    fn found(model: Protocol, property: &'static str) -> Vec<Action> {
        let wanted = HasDiscoveries::AllOf(BTreeSet::from([property]));
        let checker = model.checker().threads(1).finish_when(wanted).spawn_bfs().join();
        let path = checker.discovery(property).unwrap_or_else(|| panic!("not found: {property}"));
        println!("{path}");
        path.into_actions()
    }

    /// The protocol with a mistake in it, and only these faults.
    fn with(flaw: Flaw, faults: &'static [Fault]) -> Protocol {
        let small = Protocol { steps: 1, max_attempts: 1, asks: [false; 2], ..Protocol::default() };
        Protocol { flaw: Some(flaw), faults, ..small }
    }

    /// The same protocol without the mistake stands the same faults.
    fn right_otherwise(flawed: &Protocol) {
        Protocol { flaw: None, ..flawed.clone() }.checker().threads(1).spawn_bfs().join().assert_properties();
    }

    fn happens(history: &[Action], fault: Fault) -> bool {
        history.iter().any(|action| matches!(action, Action::Fault(happened, _) if *happened == fault))
    }

    /// River: `UPDATE … WHERE id AND state = 'running'`.
    #[test]
    fn a_verdict_that_checks_the_state_only() {
        let model = with(Flaw::VerdictChecksStateOnly, &[Fault::Stall]);
        right_otherwise(&model);
        let history = found(model, NO_GHOST);
        assert!(happens(&history, Fault::Stall), "{history:?}");
    }

    /// Oban: `UPDATE … WHERE id`.
    #[test]
    fn a_verdict_that_checks_nothing_ends_an_order_twice() {
        let model = with(Flaw::VerdictChecksNothing, &[Fault::Stall]);
        right_otherwise(&model);
        let history = found(model, ONE_END);
        assert!(happens(&history, Fault::Stall), "{history:?}");
    }

    /// Sidekiq, Faktory: what is lost between the pop and the reservation is lost.
    #[test]
    fn pop_then_reserve_loses_an_order() {
        let model = with(Flaw::PopThenReserve, &[Fault::Crash]);
        right_otherwise(&model);
        let history = found(model, NEVER_STUCK);
        let popped = history.iter().position(|action| matches!(action, Action::Pop(..)));
        let crashed = history.iter().position(|action| matches!(action, Action::Fault(Fault::Crash, _)));
        assert!(popped.is_some() && popped < crashed, "{history:?}");
    }

    /// n8n: the queue knows of an order before the record does. Nothing has to go wrong for that to lose it.
    #[test]
    fn a_push_before_the_commit_loses_an_order() {
        let model = with(Flaw::PushBeforeCommit, &[]);
        right_otherwise(&model);
        let history = found(model, NEVER_STUCK);
        assert!(history.iter().any(|action| matches!(action, Action::Push(_))), "{history:?}");
    }

    /// trigger.dev: a count of what runs, beside what runs.
    #[test]
    fn a_counter_leaks_until_nothing_runs_any_more() {
        let model = Protocol { limit: 1, ..with(Flaw::CounterLeak, &[Fault::FinishUnheard]) };
        right_otherwise(&model);
        let history = found(model, NEVER_STUCK);
        assert!(happens(&history, Fault::FinishUnheard), "{history:?}");
    }

    /// inngest: an answer that comes before the wait is registered. Nothing has to go wrong for that either.
    #[test]
    fn parking_without_a_second_look_loses_the_answer() {
        let model = Protocol { asks: [true, false], ..with(Flaw::ParkLosesAnswer, &[]) };
        right_otherwise(&model);
        let history = found(model, NEVER_STUCK);
        let answered = history.iter().position(|action| matches!(action, Action::Answer(_)));
        let parked = history.iter().position(|action| matches!(action, Action::Park(_)));
        assert!(answered.is_some() && answered < parked, "{history:?}");
    }

    #[test]
    fn a_limit_looked_at_before_the_claim_is_exceeded() {
        let model = Protocol { limit: 1, ..with(Flaw::LimitCheckedBefore, &[]) };
        right_otherwise(&model);
        found(model, LIMIT);
    }

    /// A claim that begins from the front repeats what was done.
    #[test]
    fn beginning_from_the_front_commits_a_step_twice() {
        let model = Protocol { steps: 2, ..with(Flaw::StepsRepeated, &[Fault::Crash]) };
        right_otherwise(&model);
        let history = found(model, STEP_ONCE);
        assert!(happens(&history, Fault::Crash), "{history:?}");
    }

    /// The checker is not blind where the record is all there is: the same mistakes are found there.
    #[test]
    fn ghosts_are_found_without_hints_too() {
        let model = Protocol { mode: Mode::Away, ..with(Flaw::VerdictChecksStateOnly, &[Fault::Stall]) };
        found(model, NO_GHOST);
    }
}
