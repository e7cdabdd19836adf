//! The queue as plain data: what every implementation must agree with, move by move.

use std::time::Duration;

use shopfloor_domain::{
    Fence, OrderId, Priority, QuestionId, TaskId, Timestamp, WorkerId, backoff::RetryPolicy, order::OrderStatus,
};
use shopfloor_store::orders::{Order, Verdict};

pub use super::history::histories_match_the_model;

/// An order of the model.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: OrderId,
    pub(super) task: TaskId,
    pub(super) queue: usize,
    pub(super) project: usize,
    pub(super) priority: Priority,
    pub(super) needs_gpu: bool,
    pub(super) max_attempts: u32,
    pub(super) enqueued_at: Timestamp,
    pub(super) state: State,
    pub(super) question: Option<QuestionId>,
    pub(super) asked: u32,
}

/// What must be equal to the record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) status: OrderStatus,
    pub(super) score: i64,
    pub(super) run_at: Timestamp,
    pub(super) epoch: i64,
    pub(super) attempt: u32,
    pub(super) kills: u32,
    pub(super) worker: Option<WorkerId>,
    pub(super) lease_expires_at: Option<Timestamp>,
    pub(super) cancel_requested: bool,
    pub(super) parked: bool,
    pub(super) is_over: bool,
}

impl State {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            status: order.status,
            score: order.score,
            run_at: order.run_at,
            epoch: order.epoch.0,
            attempt: order.attempt,
            kills: order.kills,
            worker: order.worker_id,
            lease_expires_at: order.lease_expires_at,
            cancel_requested: order.cancel_requested_at.is_some(),
            parked: order.parked_at.is_some(),
            is_over: order.completed_at.is_some(),
        }
    }

    fn end(&mut self, status: OrderStatus) {
        (self.status, self.lease_expires_at, self.parked, self.is_over) = (status, None, false, true);
    }

    fn wait(&mut self, run_at: Timestamp) {
        (self.status, self.run_at, self.lease_expires_at, self.parked) = (OrderStatus::Queued, run_at, None, false);
    }
}

/// What a claim of the model asks for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) worker: WorkerId,
    pub(super) has_gpu: bool,
    pub(super) queue: Option<usize>,
    pub(super) limit: usize,
    pub(super) lease: Duration,
}

/// The whole queue.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) orders: Vec<Entry>,
    pub(super) paused: [bool; 2],
    pub(super) limits: [Option<u32>; 2],
}

impl Model {
    pub(super) fn entry(&mut self, id: OrderId) -> &mut Entry {
        self.orders.iter_mut().find(|o| o.id == id).expect("an order of the model")
    }

    /// Makes the claim that was made. The lowest score goes first; of equal scores the one that was submitted first,
    /// whatever its queue, project and needs.
    ///
    /// # Panics
    /// When an order was handed out that had to wait, or one was held back that had to go.
    pub(super) fn claim(&mut self, ask: &Ask, claimed: &[OrderId], now: Timestamp) {
        for &id in claimed {
            assert_eq!(Some(id), self.next(ask, now), "this one was claimed where that one had to be");
            let state = &mut self.entry(id).state;
            (state.status, state.worker) = (OrderStatus::Claimed, Some(ask.worker));
            (state.epoch, state.attempt) = (state.epoch + 1, state.attempt + 1);
            state.lease_expires_at = Some(now + ask.lease);
        }
        assert!(claimed.len() <= ask.limit, "more was claimed than asked for");
        if claimed.len() < ask.limit {
            assert_eq!(self.next(ask, now), None, "this one should have been claimed too");
        }
    }

    /// The order to be handed out next. Orders are kept as they were submitted, and of equal ones the first is taken.
    fn next(&self, ask: &Ask, now: Timestamp) -> Option<OrderId> {
        let running = [0, 1].map(|p| self.count(|o| o.project == p && o.state.status == OrderStatus::Claimed));
        let open = |o: &&Entry| {
            o.state.status == OrderStatus::Queued
                && o.state.run_at <= now
                && !self.paused[o.queue]
                && ask.queue.is_none_or(|queue| queue == o.queue)
                && (ask.has_gpu || !o.needs_gpu)
                && self.limits[o.project].is_none_or(|limit| running[o.project] < u64::from(limit))
        };
        self.orders.iter().filter(open).min_by_key(|o| o.state.score).map(|o| o.id)
    }

    pub(super) fn is_held(&self, fence: Fence) -> bool {
        let held = |o: &&Entry| o.id == fence.order_id && o.state.epoch == fence.epoch.0;
        self.orders.iter().find(held).is_some_and(|o| o.state.status == OrderStatus::Claimed)
    }

    /// Ends a claim that is held.
    pub(super) fn finish(&mut self, id: OrderId, verdict: &Verdict, now: Timestamp) {
        let entry = self.entry(id);
        let asked = entry.question.is_some();
        let (max_attempts, state) = (entry.max_attempts, &mut entry.state);
        let gives_back = matches!(verdict, Verdict::Parked | Verdict::Released { .. });
        if gives_back {
            state.attempt = state.attempt.saturating_sub(1);
        }
        match verdict {
            Verdict::Completed { .. } => state.end(OrderStatus::Completed),
            Verdict::Failed { .. } => state.end(OrderStatus::Failed),
            Verdict::Cancelled => state.end(OrderStatus::Cancelled),
            _ if state.cancel_requested => state.end(OrderStatus::Cancelled),
            Verdict::Retry { .. } if state.attempt >= max_attempts => state.end(OrderStatus::Dead),
            Verdict::Retry { after, .. } => state.wait(now + *after),
            Verdict::Parked if asked => {
                (state.status, state.lease_expires_at, state.parked) = (OrderStatus::Parked, None, true);
            }
            Verdict::Parked | Verdict::Released { .. } => state.wait(now),
        }
        if entry.state.is_over {
            entry.question = None;
        }
    }

    /// Orders whose lease has run out.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<(Timestamp, OrderId)> {
        let expiry = |o: &Entry| o.state.lease_expires_at.filter(|&at| at <= now).map(|at| (at, o.id));
        self.orders.iter().filter_map(expiry).collect()
    }

    /// Takes an expired order back. The first lost worker costs it no wait.
    pub(super) fn rescue(&mut self, id: OrderId, policy: &RetryPolicy, draw: f64, now: Timestamp) {
        let entry = self.entry(id);
        let (max_attempts, state) = (entry.max_attempts, &mut entry.state);
        state.kills += 1;
        if state.cancel_requested {
            state.end(OrderStatus::Cancelled);
        } else if state.kills >= policy.max_kills || state.attempt >= max_attempts {
            state.end(OrderStatus::Dead);
        } else {
            let wait = if state.kills > 1 { policy.backoff(state.kills - 1, draw) } else { Duration::ZERO };
            state.wait(now + wait);
        }
        if entry.state.is_over {
            entry.question = None;
        }
    }

    /// Cancels an order that is not over.
    pub(super) fn cancel(&mut self, id: OrderId) {
        let entry = self.entry(id);
        entry.state.cancel_requested = true;
        if entry.state.status != OrderStatus::Claimed {
            entry.state.end(OrderStatus::Cancelled);
            entry.question = None;
        }
    }

    /// Answers an order's open question; whether that put it back into the queue.
    pub(super) fn answer(&mut self, id: OrderId, now: Timestamp) -> bool {
        let entry = self.entry(id);
        entry.question = None;
        let parked = entry.state.status == OrderStatus::Parked;
        if parked {
            entry.state.wait(now);
        }
        parked
    }

    /// Ready, delayed, claimed, parked and dead orders of a queue and priority, and when the oldest ready one came.
    pub(super) fn depth(&self, queue: usize, priority: Priority, now: Timestamp) -> ([u64; 5], Option<Timestamp>) {
        let here = |o: &Entry| o.queue == queue && o.priority == priority;
        let waits = |o: &Entry| here(o) && o.state.status == OrderStatus::Queued;
        let of = |status| self.count(|o| here(o) && o.state.status == status);
        let ready = |o: &Entry| waits(o) && o.state.run_at <= now;
        let counts = [
            self.count(ready),
            self.count(|o| waits(o) && o.state.run_at > now),
            of(OrderStatus::Claimed),
            of(OrderStatus::Parked),
            of(OrderStatus::Dead),
        ];
        (counts, self.orders.iter().filter(|o| ready(o)).map(|o| o.enqueued_at).min())
    }

    fn count(&self, which: impl Fn(&Entry) -> bool) -> u64 {
        self.orders.iter().filter(|o| which(o)).count() as u64
    }
}
