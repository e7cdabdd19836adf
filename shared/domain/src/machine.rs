//! What every state machine of this crate has in common: a list of states, a list of events and one `step`.

use std::fmt::{self, Display, Write};

/// An event that is not legal in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` is not a legal event in state `{state}`")]
pub struct Illegal<S: Display + fmt::Debug, E: Display + fmt::Debug> {
    /// The state the event met.
    pub state: S,
    /// The event.
    pub event: E,
}

/// A finite state machine whose legal moves are the `Ok` results of [`Machine::step`].
pub trait Machine: Copy + Eq + Display + fmt::Debug + 'static {
    /// What can happen.
    type Event: Copy + Eq + Display + fmt::Debug + 'static;

    /// The machine's name, as a heading.
    const NAME: &'static str;
    /// The state things start in.
    const INITIAL: Self;
    /// Every state.
    const STATES: &'static [Self];
    /// Every event.
    const EVENTS: &'static [Self::Event];

    /// The state after `event`, or [`Illegal`] when the event has no place here.
    ///
    /// # Errors
    /// [`Illegal`] for every pair that is not a legal move.
    fn step(self, event: Self::Event) -> Result<Self, Illegal<Self, Self::Event>>;

    /// Whether no event leads out of this state.
    fn is_final(self) -> bool {
        Self::EVENTS.iter().all(|&event| self.step(event).is_err())
    }

    /// The legal moves as `(from, event, to)`, in declaration order.
    fn moves() -> Vec<(Self, Self::Event, Self)> {
        let pairs = Self::STATES.iter().flat_map(|&s| Self::EVENTS.iter().map(move |&e| (s, e)));
        pairs.filter_map(|(s, e)| s.step(e).ok().map(|to| (s, e, to))).collect()
    }

    /// The machine as a section of Markdown with a Mermaid diagram.
    fn diagram() -> String {
        let mut out = format!("## {}\n\n```mermaid\nstateDiagram-v2\n    [*] --> {}\n", Self::NAME, Self::INITIAL);
        for (from, event, to) in Self::moves() {
            let _ = writeln!(out, "    {from} --> {to}: {event}");
        }
        for state in Self::STATES.iter().filter(|s| s.is_final()) {
            let _ = writeln!(out, "    {state} --> [*]");
        }
        out.push_str("```\n");
        out
    }
}

#[cfg(test)]
pub(crate) mod laws;
