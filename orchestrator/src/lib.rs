//! The orchestrator: loops that bring the record to where it should be.
//!
//! A loop takes no input. Each pass looks at the record, does what is due, and may be repeated, run twice at once or be
//! cut off anywhere without harm: what it does is guarded by the record itself. One orchestrator leads at a time, to save
//! work and not for correctness. [`run`] campaigns for the lead and runs the loops while it has it.
//!
//! Routing a question to people is not a loop: the record writes the chat message in the transaction that asks.

mod guard;
mod leader;
pub mod loops;
mod run;
mod runner;
mod settings;

pub use leader::{Ballot, Candidate, StoreBallot, Term};
pub use loops::{Loop, Work};
pub use run::run;
pub use settings::{Deps, Settings};
