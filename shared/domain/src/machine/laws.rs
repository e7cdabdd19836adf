//! What must hold of every machine, as tests: [`machine_laws`] makes them for one.

use std::fmt::Debug;

use super::{Illegal, Machine};

/// Every pair of state and event is either a move of `table` or [`Illegal`], which names the pair.
pub(crate) fn moves_are_exactly<M: Machine>(table: &[(M, M::Event, M)]) {
    for &state in M::STATES {
        for &event in M::EVENTS {
            let listed = table.iter().find(|(from, by, _)| (*from, *by) == (state, event));
            let expected = listed.map(|&(_, _, to)| to).ok_or(Illegal { state, event });
            assert_eq!(state.step(event), expected, "{state} + {event}");
        }
    }
    assert_eq!(M::moves().len(), table.len(), "a move is listed twice");
}

/// Every state can be reached from the initial one.
pub(crate) fn every_state_is_reachable<M: Machine>() {
    let mut seen = vec![M::INITIAL];
    let mut next = 0;
    while let Some(&state) = seen.get(next) {
        next += 1;
        let new: Vec<M> = M::EVENTS.iter().filter_map(|&event| state.step(event).ok()).collect();
        seen.extend(new.into_iter().filter(|to| !seen.contains(to)).collect::<Vec<_>>());
        seen = dedup(seen);
    }
    let missing: Vec<_> = M::STATES.iter().filter(|state| !seen.contains(state)).collect();
    assert!(missing.is_empty(), "cannot be reached: {missing:?}");
}

/// From every state some final state can be reached: nothing can get stuck for ever.
pub(crate) fn every_state_can_end<M: Machine>() {
    let mut ends: Vec<M> = M::STATES.iter().copied().filter(|state| state.is_final()).collect();
    loop {
        let leads = |state: &&M| M::EVENTS.iter().any(|&event| state.step(event).is_ok_and(|to| ends.contains(&to)));
        let more: Vec<M> = M::STATES.iter().filter(leads).copied().filter(|state| !ends.contains(state)).collect();
        if more.is_empty() {
            break;
        }
        ends.extend(more);
    }
    assert_eq!(ends.len(), M::STATES.len(), "only these can end: {ends:?}");
}

/// Runs `events` from the initial state, ignoring illegal ones, and checks that a final state is never left.
pub(crate) fn walk<M: Machine>(events: &[M::Event]) {
    let mut state = M::INITIAL;
    for &event in events {
        let before = state;
        state = state.step(event).unwrap_or(state);
        assert!(!before.is_final() || state == before, "{event} led from {before} to {state}");
    }
}

/// The states and events of a machine are listed without repetition, and its initial state is one of them.
pub(crate) fn lists_are_complete<M: Machine>() {
    assert!(M::STATES.contains(&M::INITIAL));
    assert_eq!(dedup(M::STATES.to_vec()).len(), M::STATES.len());
    assert_eq!(dedup(M::EVENTS.to_vec()).len(), M::EVENTS.len());
}

fn dedup<T: Copy + PartialEq + Debug>(items: Vec<T>) -> Vec<T> {
    items.into_iter().fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}

/// Makes the tests of one machine: its whole table, its final states, and the laws above.
macro_rules! machine_laws {
    ($state:ident, $event:ident, final [$($final:ident),+], moves { $($from:ident + $by:ident => $to:ident),+ $(,)? }) => {
        #[test]
        fn every_pair_is_a_listed_move_or_illegal() {
            $crate::machine::laws::moves_are_exactly(&[$(($state::$from, $event::$by, $state::$to)),+]);
        }

        #[test]
        fn final_states_are_as_listed() {
            let finals: Vec<_> = $state::STATES.iter().copied().filter(|state| state.is_final()).collect();
            assert_eq!(finals, [$($state::$final),+]);
        }

        #[test]
        fn every_state_is_reachable_and_can_end() {
            $crate::machine::laws::lists_are_complete::<$state>();
            $crate::machine::laws::every_state_is_reachable::<$state>();
            $crate::machine::laws::every_state_can_end::<$state>();
        }

        proptest::proptest! {
            #[test]
            fn final_states_stay_final(
                events in proptest::collection::vec(proptest::sample::select($event::ALL), 0..64),
            ) {
                $crate::machine::laws::walk::<$state>(&events);
            }
        }
    };
}
pub(crate) use machine_laws;
