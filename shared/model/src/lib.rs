//! The protocol of claims, leases, parking and reconciliation as a model that is checked exhaustively for small sizes.
//!
//! Two orders of one project, two workers, one record and one queue of hints; everything that can go wrong may go wrong at
//! any moment. `docs/faults.md` says which part of the code each part of the model stands for. Time has no numbers here: a
//! lease may run out whenever it likes, which covers every clock, every stall and every slow network.
//!
//! Test code: it panics where a test would, and nothing depends on it.

mod action;
mod flaw;
mod moves;
mod rank;
mod state;

pub use action::{Action, End, Fault};
pub use flaw::Flaw;
pub use state::{Held, Hints, Mode, Order, Question, Stage, State, Worker};

use shopfloor_domain::{machine::Machine as _, order::OrderStatus};
use stateright::{Model, Property};

/// The model, and how much of it is let loose.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// How many orders of the project may run at once.
    pub limit: u8,
    /// Which orders ask a person before their last step.
    pub asks: [bool; 2],
    /// Steps of an order's run, at most two.
    pub steps: u8,
    /// Attempts in all.
    pub max_attempts: u8,
    /// Lost workers after which an order is given up.
    pub max_kills: u8,
    /// How the queue is at the start.
    pub mode: Mode,
    /// What may go wrong.
    pub faults: &'static [Fault],
    /// The mistake that is made on purpose.
    pub flaw: Option<Flaw>,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            limit: 2,
            asks: [true, false],
            steps: 2,
            max_attempts: 2,
            max_kills: 2,
            mode: Mode::Complete,
            faults: Fault::ALL,
            flaw: None,
        }
    }
}

impl Protocol {
    /// How many more orders of the project may run, by the record.
    pub(crate) fn room(&self, state: &State) -> bool {
        state.orders.iter().filter(|order| order.is(OrderStatus::Claimed)).count() < usize::from(self.limit)
    }

    /// The moves that bring the work on: everything but faults.
    fn progress(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.retain(|action| !matches!(action, Action::Fault(_, _)));
        actions
    }
}

/// The names of the properties, as the checker shows them.
pub mod property {
    /// An order enters a final state at most once and stays in it.
    pub const ONE_END: &str = "one final state, and it stays";
    /// No write whose epoch is not the order's current one is accepted.
    pub const NO_GHOST: &str = "no write with a stale epoch is accepted";
    /// No step is committed twice.
    pub const STEP_ONCE: &str = "no step is committed twice";
    /// The project's limit holds.
    pub const LIMIT: &str = "the project's limit holds";
    /// No two workers hold a valid claim on one order.
    pub const ONE_HOLDER: &str = "one holder";
    /// As long as an order is not over, something that is not a fault can move.
    pub const NEVER_STUCK: &str = "nothing waits for ever that could run: there is a next move";
    /// Every move that is not a fault brings the end nearer, so that there is no endless detour.
    pub const NO_DETOUR: &str = "nothing waits for ever that could run: every move brings the end nearer";
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.mode)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        action::enabled(self, state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let next = moves::apply(self, last, action).alike();
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(property::ONE_END, |_, state: &State| state.orders.iter().all(Order::ended_as_shown)),
            Property::always(property::NO_GHOST, |_, state: &State| {
                state.orders.iter().all(|order| !order.ghost_wrote)
            }),
            Property::always(property::STEP_ONCE, |_, state: &State| {
                state.orders.iter().flat_map(|order| order.commits).all(|times| times <= 1)
            }),
            Property::always(property::LIMIT, |model: &Self, state: &State| {
                state.orders.iter().filter(|order| order.is(OrderStatus::Claimed)).count() <= usize::from(model.limit)
            }),
            Property::always(property::ONE_HOLDER, |_, state: &State| {
                (0..2).all(|order| state.holders(order).count() <= 1)
            }),
            Property::always(property::NEVER_STUCK, |model: &Self, state: &State| {
                state.orders.iter().all(Order::is_over) || !model.progress(state).is_empty()
            }),
            Property::always(property::NO_DETOUR, |model: &Self, state: &State| {
                let here = rank::rank(model, state);
                model
                    .progress(state)
                    .into_iter()
                    .all(|action| model.next_state(state, action).is_none_or(|next| rank::rank(model, &next) < here))
            }),
            Property::sometimes("both orders complete", |_, state: &State| {
                state.orders.iter().all(|order| order.is(OrderStatus::Completed))
            }),
        ]
    }
}

/// Whether no event leads out of this status.
pub(crate) fn is_final(status: OrderStatus) -> bool {
    status.is_final()
}
