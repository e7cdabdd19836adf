//! How far from the end a state is. Every move that is not a fault makes the rank smaller (a property of the model), and
//! there is always such a move (another one): so once faults stop, both orders come to their end, whatever the schedule.

use shopfloor_domain::order::OrderStatus;

use crate::{
    Protocol,
    state::{Held, Mode, Question, Stage, State, Worker},
};

/// Compared from left to right.
pub(crate) type Rank = (u32, u32, Mode, u32, u32, u32);

pub(crate) fn rank(model: &Protocol, state: &State) -> Rank {
    let orders = (0..2).map(|o| of_order(model, state, o)).sum();
    let workers = state.workers.iter().map(|worker| of_worker(state, worker)).sum();
    let wrong = (0..2).filter(|o| state.hints.held[*o] && !state.orders[*o].is(OrderStatus::Claimed)).count();
    let hints = (0..2).map(|o| of_hint(model, state, o)).sum();
    let leases = (0..2).map(|o| of_lease(state, o)).sum();
    (orders, workers, state.hints.mode, u32::from(wrong > 0), hints, leases)
}

/// What an order has before it: attempts, the answer, steps, the way through the queue.
fn of_order(model: &Protocol, state: &State, o: usize) -> u32 {
    const ATTEMPTS: u32 = 8;
    let order = &state.orders[o];
    let Some(status) = order.status else { return 100_000 + u32::from(!order.pushed) };
    if order.is_over() {
        return 0;
    }
    let used = u32::from(order.attempt) - u32::from(status == OrderStatus::Claimed);
    let question = match order.question {
        Question::None => 2,
        Question::Open => 1,
        Question::Closed => 0,
    };
    let may_park = question > 0 || state.holders(o).any(|held| held.stage == Stage::Parking);
    let place = match status {
        OrderStatus::Queued => 2,
        OrderStatus::Claimed => 1,
        _ => 0,
    };
    let digits = [
        (ATTEMPTS - used, ATTEMPTS + 1),
        (question, 3),
        (u32::from(may_park), 2),
        (u32::from(model.steps - order.steps), 3),
        (place, 3),
    ];
    1 + digits.into_iter().fold(0, |sum, (digit, base)| sum * base + digit)
}

/// What a worker has still to find out.
fn of_worker(state: &State, worker: &Worker) -> u32 {
    let Worker::Working(held) = worker else { return 0 };
    let answered = state.of(held).question == Question::Closed;
    let stage = match held.stage {
        Stage::Waiting if answered => 4,
        Stage::Running => 3,
        Stage::Waiting => 2,
        Stage::Parking => 1,
    };
    10 + 5 * behind(state, held) + stage
}

fn behind(state: &State, held: &Held) -> u32 {
    u32::from(state.of(held).steps.saturating_sub(held.steps))
}

/// How far an order's id is from a worker.
fn of_hint(model: &Protocol, state: &State, o: usize) -> u32 {
    let hints = &state.hints;
    let popped = u32::try_from(state.popped(o)).unwrap_or(u32::MAX);
    let known = 3 * u32::from(hints.flight[o]) + 2 * u32::from(hints.ready[o]) + popped;
    let claimable = hints.mode == Mode::Complete && state.orders[o].is(OrderStatus::Queued) && model.room(state);
    if claimable && known == 0 { 10 } else { known }
}

fn of_lease(state: &State, o: usize) -> u32 {
    let order = &state.orders[o];
    match (order.is(OrderStatus::Claimed), state.holders(o).next().is_some(), order.expired) {
        (false, _, _) | (true, true, false) => 0,
        (true, _, true) => 1,
        (true, false, false) => 2,
    }
}
