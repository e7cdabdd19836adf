//! What each happening does. Moves of an order are those of `shopfloor_domain`: an illegal one panics, and with it the
//! check.

use shopfloor_domain::{
    machine::Machine as _,
    order::{OrderEvent, OrderStatus},
};

use crate::{
    Action, End, Fault, Flaw, Protocol,
    state::{Held, Mode, Order, Question, Stage, State, Worker},
};

/// Whether whoever wrote hears that it was committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    No,
}

/// The state after something happened.
pub(crate) fn apply(model: &Protocol, last: &State, action: Action) -> State {
    let mut next = *last;
    let it = &mut Moving { model, state: &mut next };
    match action {
        Action::Submit(o) => it.submit(o, Heard::Yes),
        Action::Push(o) => {
            it.state.orders[o].pushed = true;
            it.state.hints.flight[o] = true;
        }
        Action::Deliver(o) => it.deliver(o),
        Action::Pop(w, o) => {
            it.state.hints.ready[o] = false;
            it.state.workers[w] = Worker::Popped(u8::from(o == 1));
        }
        Action::Claim(w) => it.claim(w, Heard::Yes),
        Action::ClaimFromRecord(w, o) => it.mint(w, o, Heard::Yes),
        Action::Commit(w) => it.commit(w, Heard::Yes),
        Action::Ask(w) => it.ask(w, Heard::Yes),
        Action::See(w) => it.stage(w, Stage::Running),
        Action::GiveUp(w) => it.stage(w, Stage::Parking),
        Action::Park(w) => it.park(w, Heard::Yes),
        Action::Finish(w, end) => it.finish(w, end, Heard::Yes),
        Action::Notice(w) => it.state.workers[w] = Worker::Idle,
        Action::Renew(w) => it.order(w).expired = false,
        Action::Answer(o) => it.answer(o),
        Action::Expire(o) => it.state.orders[o].expired = true,
        Action::Rescue(o) => it.rescue(o),
        Action::Reconcile(o) => it.state.hints.ready[o] = true,
        Action::Rebuild => it.rebuild(),
        Action::SyncRoom => it.sync_room(),
        Action::Fault(fault, place) => it.fault(fault, place),
    }
    next
}

struct Moving<'a> {
    model: &'a Protocol,
    state: &'a mut State,
}

impl Moving<'_> {
    fn fault(&mut self, fault: Fault, place: usize) {
        let hints = &mut self.state.hints;
        match fault {
            Fault::SubmitUnheard => self.submit(place, Heard::No),
            Fault::Crash => self.state.workers[place] = Worker::Idle,
            Fault::Stall => self.state.orders[place].expired = true,
            Fault::Lose => hints.flight[place] = false,
            Fault::Flush => {
                (hints.ready, hints.held) = Default::default();
                hints.mode = Mode::Doubted;
            }
            Fault::Away => hints.mode = Mode::Away,
            // What was changed meanwhile went past the hints: the generation is of another connection.
            Fault::Back => hints.mode = Mode::Doubted,
            Fault::PublishAgain => hints.ready[place] = true,
            Fault::ClaimUnheard => self.claim(place, Heard::No),
            Fault::CommitUnheard => self.commit(place, Heard::No),
            Fault::AskUnheard => self.ask(place, Heard::No),
            Fault::ParkUnheard => self.park(place, Heard::No),
            Fault::FinishUnheard => self.finish(place, End::Completed, Heard::No),
        }
    }

    fn held(&self, w: usize) -> Held {
        match self.state.workers[w] {
            Worker::Working(held) => held,
            other => unreachable!("{other:?} holds nothing"),
        }
    }

    fn order(&mut self, w: usize) -> &mut Order {
        let order = usize::from(self.held(w).order);
        &mut self.state.orders[order]
    }

    fn stage(&mut self, w: usize, stage: Stage) {
        self.state.workers[w] = Worker::Working(Held { stage, ..self.held(w) });
    }

    /// One legal move of an order.
    fn step(&mut self, o: usize, event: OrderEvent) {
        let order = &mut self.state.orders[o];
        let from = order.status.expect("its row is there");
        order.set(from.step(event).expect("a legal move"));
    }

    /// Whether the record accepts a write with this claim. A refused worker lets go.
    fn fenced(&mut self, w: usize) -> bool {
        let held = self.held(w);
        let refused = !self.state.valid(&held);
        if refused {
            self.state.workers[w] = Worker::Idle;
        }
        refused
    }

    fn submit(&mut self, o: usize, heard: Heard) {
        self.state.orders[o].set(OrderStatus::INITIAL);
        if heard == Heard::Yes && !self.state.orders[o].pushed {
            self.state.hints.flight[o] = true;
        }
    }

    fn deliver(&mut self, o: usize) {
        let hints = &mut self.state.hints;
        hints.flight[o] = false;
        if hints.mode != Mode::Away {
            hints.ready[o] = true;
        }
    }

    /// The record's half of a claim.
    fn claim(&mut self, w: usize, heard: Heard) {
        let Worker::Popped(id) = self.state.workers[w] else { unreachable!("it took an id") };
        let o = usize::from(id);
        let room = self.model.room(self.state) || self.model.flaw == Some(Flaw::LimitCheckedBefore);
        if self.state.orders[o].is(OrderStatus::Queued) && room {
            self.mint(w, o, heard);
        } else {
            self.state.workers[w] = Worker::Idle;
        }
    }

    fn mint(&mut self, w: usize, o: usize, heard: Heard) {
        self.step(o, OrderEvent::Claimed);
        let order = &mut self.state.orders[o];
        order.epoch += 1;
        order.attempt += 1;
        if heard == Heard::No {
            self.state.workers[w] = Worker::Idle;
            return;
        }
        let steps = if self.model.flaw == Some(Flaw::StepsRepeated) { 0 } else { order.steps };
        let held = Held { order: u8::from(o == 1), epoch: order.epoch, steps, stage: Stage::Running };
        self.state.workers[w] = Worker::Working(held);
        if self.state.hints.mode == Mode::Complete {
            self.state.hints.held[o] = true;
        }
    }

    fn commit(&mut self, w: usize, heard: Heard) {
        if self.fenced(w) {
            return;
        }
        let held = self.held(w);
        let repeats = self.model.flaw == Some(Flaw::StepsRepeated);
        let order = self.order(w);
        if order.steps == held.steps || repeats {
            order.commits[usize::from(held.steps)] += 1;
            order.steps = held.steps + 1;
        }
        if heard == Heard::Yes {
            self.state.workers[w] = Worker::Working(Held { steps: held.steps + 1, ..held });
        }
    }

    fn ask(&mut self, w: usize, heard: Heard) {
        if self.fenced(w) {
            return;
        }
        let order = self.order(w);
        if order.question == Question::None {
            order.question = Question::Open;
        }
        if heard == Heard::Yes {
            self.stage(w, Stage::Waiting);
        }
    }

    /// The first answer closes the question; a parked order goes on in the same transaction.
    fn answer(&mut self, o: usize) {
        self.state.orders[o].question = Question::Closed;
        if self.state.orders[o].is(OrderStatus::Parked) {
            self.step(o, OrderEvent::Resumed);
            self.state.hints.flight[o] = true;
        }
    }

    /// Parks, unless the question was closed meanwhile: then the order is queued again at once.
    fn park(&mut self, w: usize, heard: Heard) {
        if self.fenced(w) {
            return;
        }
        let o = usize::from(self.held(w).order);
        let waits = self.state.orders[o].question == Question::Open || self.model.flaw == Some(Flaw::ParkLosesAnswer);
        self.step(o, if waits { OrderEvent::Parked } else { OrderEvent::Released });
        self.state.orders[o].attempt -= 1;
        self.concluded(w, o, heard);
    }

    fn finish(&mut self, w: usize, end: End, heard: Heard) {
        let held = self.held(w);
        let (valid, o) = (self.state.valid(&held), usize::from(held.order));
        let accepted = match self.model.flaw {
            Some(Flaw::VerdictChecksNothing) => true,
            Some(Flaw::VerdictChecksStateOnly) => self.state.of(&held).is(OrderStatus::Claimed),
            _ => valid,
        };
        if !accepted {
            self.state.workers[w] = Worker::Idle;
            return;
        }
        let order = &mut self.state.orders[o];
        order.ghost_wrote |= !valid;
        let event = match end {
            End::Completed => OrderEvent::Completed,
            End::Failed => OrderEvent::Failed,
            End::Retry if order.attempt >= self.model.max_attempts => OrderEvent::Exhausted,
            End::Retry => OrderEvent::RetryScheduled,
        };
        if valid {
            self.step(o, event);
        } else {
            // A record without guards writes whatever it is told.
            order.set(OrderStatus::Claimed.step(event).expect("a legal move of a claimed order"));
        }
        self.concluded(w, o, heard);
    }

    /// The worker lets go; the hints hear of it.
    fn concluded(&mut self, w: usize, o: usize, heard: Heard) {
        if heard == Heard::No {
            return;
        }
        self.state.workers[w] = Worker::Idle;
        let hints = &mut self.state.hints;
        if hints.mode == Mode::Complete {
            hints.held[o] = false;
        }
        if self.state.orders[o].is(OrderStatus::Queued) {
            hints.flight[o] = true;
        }
    }

    fn rescue(&mut self, o: usize) {
        let order = &mut self.state.orders[o];
        order.kills += 1;
        let given_up = order.kills >= self.model.max_kills;
        self.step(o, if given_up { OrderEvent::Exhausted } else { OrderEvent::LeaseExpired });
        if !given_up {
            self.state.hints.flight[o] = true;
        }
    }

    fn rebuild(&mut self) {
        let queued = self.state.orders.map(|order| order.is(OrderStatus::Queued));
        let claimed = self.state.orders.map(|order| order.is(OrderStatus::Claimed));
        let hints = &mut self.state.hints;
        hints.ready = [hints.ready[0] || queued[0], hints.ready[1] || queued[1]];
        hints.held = claimed;
        hints.mode = Mode::Complete;
    }

    fn sync_room(&mut self) {
        self.state.hints.held = self.state.orders.map(|order| order.is(OrderStatus::Claimed));
    }
}
