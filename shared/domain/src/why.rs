//! Why is it not running? The one unmet condition of a task, from facts that the record gathers.

use serde::Serialize;

use crate::{Capabilities, Name, QuestionId, Timestamp, WorkerId, order::OrderStatus, pace::Pace, task::TaskStatus};

/// What the record knows about a task and its newest order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The task's status.
    pub task: TaskStatus,
    /// The newest order's status.
    pub order: OrderStatus,
    /// Whether somebody asked for the order's cancellation.
    pub cancel_requested: bool,
    /// The worker that holds the order.
    pub worker: Option<WorkerId>,
    /// When the order may be claimed.
    pub run_at: Timestamp,
    /// How many attempts it has had.
    pub attempt: u32,
    /// The queue it is in.
    pub queue: Name,
    /// Whether that queue is paused.
    pub queue_paused: bool,
    /// The open question the order waits for.
    pub question: Option<QuestionId>,
    /// The project's limit and how many of its orders are claimed.
    pub project_limit: Option<u32>,
    /// How many of the project's orders are claimed.
    pub project_claimed: u32,
    /// How many orders the project may start per minute, and when it may start the next one.
    pub project_pace: Option<(Pace, Timestamp)>,
    /// What the order needs.
    pub needs: Capabilities,
    /// Live workers.
    pub workers: u32,
    /// Live workers that cover [`Self::needs`].
    pub able_workers: u32,
    /// Free slots of the able workers.
    pub free_slots: u32,
    /// Orders that go first.
    pub ahead: u64,
}

/// The one condition that keeps a task from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reason {
    /// It is over.
    Finished {
        /// How it ended.
        status: TaskStatus,
    },
    /// Its worker has been told to stop and has not confirmed yet.
    Cancelling,
    /// It runs.
    Running {
        /// Where.
        worker: Option<WorkerId>,
    },
    /// It waits for a person.
    WaitingForPerson {
        /// The question to answer.
        question: Option<QuestionId>,
    },
    /// It is delayed until a time, as submitted.
    Delayed {
        /// When it may run.
        until: Timestamp,
    },
    /// Its last attempt failed and the next one is due later.
    BackingOff {
        /// When it may run.
        until: Timestamp,
        /// How many attempts it has had.
        attempt: u32,
    },
    /// Its queue is paused.
    QueuePaused {
        /// Which one.
        queue: Name,
    },
    /// No worker is alive.
    NoWorkers,
    /// No live worker has what it needs.
    NoAbleWorker {
        /// What it needs.
        needs: Capabilities,
    },
    /// Its project runs as many orders as it may.
    ProjectLimit {
        /// The limit.
        limit: u32,
        /// How many run.
        running: u32,
    },
    /// Its project has started as many orders as its rate allows for now.
    ProjectRate {
        /// Orders that may start per minute.
        per_minute: u32,
        /// When the next one may start.
        until: Timestamp,
    },
    /// Every able worker is busy.
    WorkersBusy {
        /// Orders that go first.
        ahead: u64,
    },
    /// Nothing stands in its way; a worker is about to take it.
    AboutToRun {
        /// Orders that go first.
        ahead: u64,
    },
}

impl Reason {
    /// What keeps a due order waiting, as its code and the label of `shopfloor_blocked_seconds_total`; `None` when it is not
    /// due, runs, waits for a person or is over.
    #[must_use]
    pub const fn blocked_by(&self) -> Option<&'static str> {
        match self {
            Self::QueuePaused { .. } => Some("queue_paused"),
            Self::NoWorkers => Some("no_workers"),
            Self::NoAbleWorker { .. } => Some("no_able_worker"),
            Self::ProjectLimit { .. } => Some("project_limit"),
            Self::ProjectRate { .. } => Some("project_rate"),
            Self::WorkersBusy { .. } => Some("workers_busy"),
            Self::AboutToRun { .. } => Some("about_to_run"),
            Self::Finished { .. }
            | Self::Cancelling
            | Self::Running { .. }
            | Self::WaitingForPerson { .. }
            | Self::Delayed { .. }
            | Self::BackingOff { .. } => None,
        }
    }
}

/// The first unmet condition, in the order in which the claim checks them.
#[must_use]
pub fn why(facts: &Facts, now: Timestamp) -> Reason {
    match facts.order {
        OrderStatus::Completed | OrderStatus::Failed | OrderStatus::Dead | OrderStatus::Cancelled => {
            return Reason::Finished { status: facts.task };
        }
        OrderStatus::Claimed if facts.cancel_requested => return Reason::Cancelling,
        OrderStatus::Claimed => return Reason::Running { worker: facts.worker },
        OrderStatus::Parked => return Reason::WaitingForPerson { question: facts.question },
        OrderStatus::Queued => {}
    }
    if facts.run_at > now {
        return match facts.attempt {
            0 => Reason::Delayed { until: facts.run_at },
            attempt => Reason::BackingOff { until: facts.run_at, attempt },
        };
    }
    if facts.queue_paused {
        return Reason::QueuePaused { queue: facts.queue.clone() };
    }
    if facts.workers == 0 {
        return Reason::NoWorkers;
    }
    if facts.able_workers == 0 {
        return Reason::NoAbleWorker { needs: facts.needs.clone() };
    }
    match facts.project_limit {
        Some(limit) if facts.project_claimed >= limit => {
            return Reason::ProjectLimit { limit, running: facts.project_claimed };
        }
        _ => {}
    }
    match facts.project_pace {
        Some((pace, until)) if until > now => {
            return Reason::ProjectRate { per_minute: pace.per_minute, until };
        }
        _ => {}
    }
    if facts.free_slots == 0 {
        return Reason::WorkersBusy { ahead: facts.ahead };
    }
    Reason::AboutToRun { ahead: facts.ahead }
}

#[cfg(test)]
mod tests;
