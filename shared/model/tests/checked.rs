//! Every state that the protocol can reach, for small sizes and all faults.
//!
//! The whole is cut in two, for size: the record with its workers, and the hints with a shorter life of the orders.

#[cfg(test)]
mod tests {
    use shopfloor_model::{Fault, Mode, Protocol};
    use stateright::{Checker as _, Model as _};

    /// What can go wrong between a worker and the record.
    const RECORD: &[Fault] = &[
        Fault::Crash,
        Fault::Stall,
        Fault::ClaimUnheard,
        Fault::CommitUnheard,
        Fault::AskUnheard,
        Fault::ParkUnheard,
        Fault::FinishUnheard,
    ];

    /// Visits everything and finds nothing wrong.
    fn holds(model: Protocol) {
        let began = std::time::Instant::now();
        let checker = model.checker().threads(2).spawn_bfs().join();
        println!("{} states, {} steps deep, {:?}", checker.unique_state_count(), checker.max_depth(), began.elapsed());
        checker.assert_properties();
    }

    /// The record alone, as when Redis is away or there is none.
    fn record() -> Protocol {
        Protocol { mode: Mode::Away, faults: RECORD, ..Protocol::default() }
    }

    #[test]
    fn from_the_record_alone() {
        holds(record());
    }

    #[test]
    fn from_the_record_alone_one_at_a_time() {
        holds(Protocol { limit: 1, ..record() });
    }

    #[test]
    fn two_questions_at_once() {
        holds(Protocol { asks: [true, true], max_attempts: 1, ..record() });
    }

    #[test]
    fn with_hints_one_at_a_time() {
        holds(Protocol { steps: 1, limit: 1, max_attempts: 1, asks: [false; 2], ..Protocol::default() });
    }

    #[test]
    fn with_hints_and_a_question() {
        let faults = &[Fault::Crash, Fault::Stall, Fault::Lose, Fault::Flush, Fault::ParkUnheard];
        holds(Protocol { steps: 1, limit: 1, max_attempts: 1, faults, ..Protocol::default() });
    }
}
