//! The mistakes of others, each to be made on purpose: the checker has to find it.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A verdict is accepted while the order is running, whoever runs it: `UPDATE … WHERE id AND state = 'running'`.
    VerdictChecksStateOnly,
    /// A verdict is accepted always: `UPDATE … WHERE id`.
    VerdictChecksNothing,
    /// Taking the id from the queue is the claim, and nobody compares the queue with the record: what is lost between
    /// the pop and the reservation is lost.
    PopThenReserve,
    /// The order is pushed before its row is committed, and the push is all that announces it.
    PushBeforeCommit,
    /// How many orders run is kept beside the orders that run, and never compared with them.
    CounterLeak,
    /// Parking does not look at the question again.
    ParkLosesAnswer,
    /// The project's limit is looked at before the claim instead of in it.
    LimitCheckedBefore,
    /// A worker that takes over begins at the first step, whatever is committed.
    StepsRepeated,
}
