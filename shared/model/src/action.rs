//! What can happen, and when.

use shopfloor_domain::order::OrderStatus;

use crate::{
    Flaw, Protocol,
    state::{Held, Mode, Question, Stage, State, Worker},
};

/// Something happens; numbers name orders (`o`) and workers (`w`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The API commits an order and sends its publication.
    Submit(usize),
    /// The API sends the publication and has not committed yet (a mistake).
    Push(usize),
    /// A publication arrives.
    Deliver(usize),
    /// Worker `.0` takes the id of order `.1` from the hints.
    Pop(usize, usize),
    /// The record decides about the id that the worker has taken.
    Claim(usize),
    /// Worker `.0` claims order `.1` from the record alone.
    ClaimFromRecord(usize, usize),
    /// A worker commits its next step, or learns that it is committed.
    Commit(usize),
    /// A worker asks.
    Ask(usize),
    /// A waiting worker sees the answer.
    See(usize),
    /// A waiting worker's grace is over.
    GiveUp(usize),
    /// A worker parks.
    Park(usize),
    /// A worker writes its verdict.
    Finish(usize, End),
    /// A renewal tells a worker that it has lost the order.
    Notice(usize),
    /// A renewal saves a lease at the last moment.
    Renew(usize),
    /// A person answers, or the deadline does.
    Answer(usize),
    /// The lease of an order that no worker holds runs out.
    Expire(usize),
    /// The orchestrator takes an order back.
    Rescue(usize),
    /// The orchestrator publishes an order that the hints miss.
    Reconcile(usize),
    /// The orchestrator refills hints that lost their generation.
    Rebuild,
    /// The orchestrator corrects which orders the hints believe to be running.
    SyncRoom,
    /// Something goes wrong, for the order or worker named.
    Fault(Fault, usize),
}

/// How a worker ends a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// It is done.
    Completed,
    /// It cannot succeed.
    Failed,
    /// This attempt failed.
    Retry,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The API dies between commit and publication, or its commit is acknowledged to nobody.
    SubmitUnheard,
    /// A worker is killed; another one starts.
    Crash,
    /// A worker stalls for longer than its lease: the lease runs out while it still believes in it.
    Stall,
    /// A publication is lost.
    Lose,
    /// The hints are emptied.
    Flush,
    /// The hints are out of reach.
    Away,
    /// The hints are back, with what they remember.
    Back,
    /// The hints are told of an order once more, whatever its status.
    PublishAgain,
    /// A claim is committed and its worker never hears of it.
    ClaimUnheard,
    /// A step is committed and its worker does not hear of it yet.
    CommitUnheard,
    /// A question is put and its worker does not hear of it yet.
    AskUnheard,
    /// An order is parked and its worker does not hear of it yet.
    ParkUnheard,
    /// A completion is recorded and its worker does not hear of it yet.
    FinishUnheard,
}

impl Fault {
    /// Every fault.
    pub const ALL: &'static [Self] = &[
        Self::SubmitUnheard,
        Self::Crash,
        Self::Stall,
        Self::Lose,
        Self::Flush,
        Self::Away,
        Self::Back,
        Self::PublishAgain,
        Self::ClaimUnheard,
        Self::CommitUnheard,
        Self::AskUnheard,
        Self::ParkUnheard,
        Self::FinishUnheard,
    ];
}

/// Lists what can happen in a state.
pub(crate) fn enabled(model: &Protocol, state: &State, actions: &mut Vec<Action>) {
    let mut list = List { model, actions };
    for order in 0..state.orders.len() {
        list.of_order(state, order);
    }
    for (place, worker) in state.workers.iter().enumerate() {
        match worker {
            Worker::Idle => list.of_idle(state, place),
            Worker::Popped(_) => {
                list.actions.push(Action::Claim(place));
                list.fault(Fault::ClaimUnheard, place);
                list.fault(Fault::Crash, place);
            }
            Worker::Working(held) => list.of_working(state, place, held),
        }
    }
    list.of_hints(state);
}

struct List<'a> {
    model: &'a Protocol,
    actions: &'a mut Vec<Action>,
}

impl List<'_> {
    fn fault(&mut self, fault: Fault, place: usize) {
        if self.model.faults.contains(&fault) {
            self.actions.push(Action::Fault(fault, place));
        }
    }

    fn of_order(&mut self, state: &State, o: usize) {
        let (order, hints) = (&state.orders[o], &state.hints);
        if order.status.is_none() {
            if self.model.flaw == Some(Flaw::PushBeforeCommit) && !order.pushed {
                self.actions.push(Action::Push(o));
            } else {
                self.actions.push(Action::Submit(o));
                self.fault(Fault::SubmitUnheard, o);
            }
        }
        if hints.flight[o] {
            self.actions.push(Action::Deliver(o));
            self.fault(Fault::Lose, o);
        }
        if order.question == Question::Open {
            self.actions.push(Action::Answer(o));
        }
        if order.is(OrderStatus::Claimed) {
            let held = state.holders(o).next().is_some();
            match (order.expired, held) {
                (true, _) => self.actions.push(Action::Rescue(o)),
                (false, false) => self.actions.push(Action::Expire(o)),
                (false, true) => self.fault(Fault::Stall, o),
            }
        }
        if hints.mode != Mode::Away && !hints.ready[o] && order.status.is_some() {
            self.fault(Fault::PublishAgain, o);
        }
    }

    fn of_idle(&mut self, state: &State, w: usize) {
        let held = state.hints.held.iter().filter(|held| **held).count();
        for (o, order) in state.orders.iter().enumerate() {
            let trusted = state.hints.mode == Mode::Complete;
            if trusted && state.hints.ready[o] && held < usize::from(self.model.limit) {
                self.actions.push(Action::Pop(w, o));
            }
            if !trusted && order.is(OrderStatus::Queued) && self.model.room(state) {
                self.actions.push(Action::ClaimFromRecord(w, o));
            }
        }
    }

    fn of_working(&mut self, state: &State, w: usize, held: &Held) {
        let order = state.of(held);
        self.fault(Fault::Crash, w);
        if !state.valid(held) {
            self.actions.push(Action::Notice(w));
        } else if order.expired {
            self.actions.push(Action::Renew(w));
        }
        match held.stage {
            Stage::Running if held.steps == self.model.steps => {
                self.actions.push(Action::Finish(w, End::Completed));
                self.fault(Fault::FinishUnheard, w);
            }
            Stage::Running => {
                let asks = self.model.asks[usize::from(held.order)] && held.steps + 1 == self.model.steps;
                if asks && order.question != Question::Closed && order.steps == held.steps {
                    self.actions.push(Action::Ask(w));
                    self.fault(Fault::AskUnheard, w);
                } else {
                    self.actions.push(Action::Commit(w));
                    self.fault(Fault::CommitUnheard, w);
                }
                self.actions.push(Action::Finish(w, End::Failed));
                self.actions.push(Action::Finish(w, End::Retry));
            }
            Stage::Waiting if order.question == Question::Closed => self.actions.push(Action::See(w)),
            Stage::Waiting => self.actions.push(Action::GiveUp(w)),
            Stage::Parking => {
                self.actions.push(Action::Park(w));
                self.fault(Fault::ParkUnheard, w);
            }
        }
    }

    fn of_hints(&mut self, state: &State) {
        let hints = &state.hints;
        match hints.mode {
            Mode::Complete => {
                let reconciles = !matches!(self.model.flaw, Some(Flaw::PopThenReserve | Flaw::PushBeforeCommit));
                for (o, order) in state.orders.iter().enumerate() {
                    let known = hints.ready[o] || hints.flight[o] || state.popped(o) > 0;
                    if reconciles && order.is(OrderStatus::Queued) && self.model.room(state) && !known {
                        self.actions.push(Action::Reconcile(o));
                    }
                }
                let wrong = (0..2).any(|o| hints.held[o] && !state.orders[o].is(OrderStatus::Claimed));
                if wrong && self.model.flaw != Some(Flaw::CounterLeak) {
                    self.actions.push(Action::SyncRoom);
                }
            }
            Mode::Doubted => self.actions.push(Action::Rebuild),
            Mode::Away => self.fault(Fault::Back, 0),
        }
        if hints.mode != Mode::Away {
            self.fault(Fault::Away, 0);
            self.fault(Fault::Flush, 0);
        }
    }
}
