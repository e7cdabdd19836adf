//! What there is: the record, the hints, the workers.

use shopfloor_domain::order::OrderStatus;

use crate::is_final;

/// Everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// The record's orders.
    pub orders: [Order; 2],
    /// The queue beside the record.
    pub hints: Hints,
    /// The workers; which is which does not matter.
    pub workers: [Worker; 2],
}

/// An order, as recorded, with what the properties need to know of its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// `None` until its row is committed.
    pub status: Option<OrderStatus>,
    /// Published before its row was there (a mistake).
    pub pushed: bool,
    /// How often it was claimed.
    pub epoch: u8,
    /// Attempts that count.
    pub attempt: u8,
    /// Workers lost with it in hand.
    pub kills: u8,
    /// Whether its lease has run out; only while claimed.
    pub expired: bool,
    /// Steps that are committed.
    pub steps: u8,
    /// What it asked.
    pub question: Question,
    /// How often each step was committed.
    pub commits: [u8; 2],
    /// The final status it entered first.
    pub ended: Option<OrderStatus>,
    /// Whether it entered a final status again.
    pub ended_again: bool,
    /// Whether a write with a stale epoch was accepted.
    pub ghost_wrote: bool,
}

/// A question to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// Not asked.
    None,
    /// Asked.
    Open,
    /// Answered, closed by its deadline, or by the end of its order.
    Closed,
}

/// The queue of hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hints {
    /// Whether it may be trusted.
    pub mode: Mode,
    /// Orders it would hand out.
    pub ready: [bool; 2],
    /// Orders it believes to be running.
    pub held: [bool; 2],
    /// Publications that are on their way.
    pub flight: [bool; 2],
}

/// What can be expected of the hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Whoever claims asks the hints first.
    Complete,
    /// There, but its generation is missing: claims go to the record.
    Doubted,
    /// Out of reach: claims go to the record.
    Away,
}

/// A worker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Worker {
    /// Wants an order.
    Idle,
    /// Has taken an id from the hints and not yet asked the record.
    Popped(u8),
    /// Believes to hold an order.
    Working(Held),
}

/// What a worker believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Held {
    /// Which order.
    pub order: u8,
    /// The epoch it was claimed with.
    pub epoch: u8,
    /// The steps it knows to be committed.
    pub steps: u8,
    /// Where it is.
    pub stage: Stage,
}

/// Where a worker is with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Running steps.
    Running,
    /// Waiting for an answer, within its grace.
    Waiting,
    /// Its grace is over: about to park.
    Parking,
}

impl State {
    pub(crate) fn new(mode: Mode) -> Self {
        let order = Order {
            status: None,
            pushed: false,
            epoch: 0,
            attempt: 0,
            kills: 0,
            expired: false,
            steps: 0,
            question: Question::None,
            commits: [0; 2],
            ended: None,
            ended_again: false,
            ghost_wrote: false,
        };
        let hints = Hints { mode, ready: [false; 2], held: [false; 2], flight: [false; 2] };
        Self { orders: [order; 2], hints, workers: [Worker::Idle; 2] }
    }

    /// One of the states that differ in nothing but the workers' names.
    pub(crate) fn alike(mut self) -> Self {
        self.workers.sort_unstable();
        self
    }

    /// The order of this claim.
    pub(crate) fn of(&self, held: &Held) -> &Order {
        &self.orders[usize::from(held.order)]
    }

    /// Whether this claim is valid.
    pub(crate) fn valid(&self, held: &Held) -> bool {
        let order = self.of(held);
        order.is(OrderStatus::Claimed) && order.epoch == held.epoch
    }

    /// The workers whose claim on this order is valid.
    pub(crate) fn holders(&self, order: usize) -> impl Iterator<Item = &Held> {
        let held = self.workers.iter().filter_map(|worker| match worker {
            Worker::Working(held) => Some(held),
            Worker::Idle | Worker::Popped(_) => None,
        });
        held.filter(move |held| usize::from(held.order) == order && self.valid(held))
    }

    /// Workers that have taken this order's id.
    pub(crate) fn popped(&self, order: usize) -> usize {
        self.workers.iter().filter(|worker| matches!(worker, Worker::Popped(id) if usize::from(*id) == order)).count()
    }
}

impl Order {
    pub(crate) fn is(&self, status: OrderStatus) -> bool {
        self.status == Some(status)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.status.is_some_and(is_final)
    }

    /// Whether its status agrees with its one end, or with having none.
    pub(crate) fn ended_as_shown(&self) -> bool {
        !self.ended_again && self.ended == self.status.filter(|status| is_final(*status))
    }

    /// Writes its status, remembering ends; an end closes the question.
    pub(crate) fn set(&mut self, status: OrderStatus) {
        if is_final(status) {
            self.ended_again |= self.ended.is_some();
            self.ended = self.ended.or(Some(status));
            if self.question == Question::Open {
                self.question = Question::Closed;
            }
        }
        self.status = Some(status);
        self.expired = false;
    }
}
