//! Work orders: claimed with an epoch, held by a lease, ended by a verdict.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Capabilities, Epoch, ExecutionId, Fence, Name, OrderId, Priority, ProjectId, RunId, SessionRowId, TaskId,
    Timestamp, WorkerId, order::OrderStatus, session::EndReason,
};

use crate::runs::Run;

mod admit;
mod cancel;
mod claim;
mod complete;
mod conclude;
mod depth;
mod finish;
mod follow;
mod grant;
mod insert;
mod lanes;
mod lock;
mod park;
mod place;
mod priority;
mod read;
mod renew;
mod requeue;
mod rescue;
mod row;
mod together;

pub use admit::{Admitted, admit};
pub(crate) use cancel::{CancelOutcome, cancel_live};
pub use claim::claim;
pub(crate) use conclude::release;
pub use depth::{depth, next_due};
pub use finish::finish;
pub(crate) use insert::{NewOrder, born, ensure_queue, insert, insert_rows, lane_of, planned};
pub(crate) use lock::{lock, lock_claimed, lock_live};
pub(crate) use park::resume_parked;
pub use place::{DueCursor, Place, ProjectRoom, due_last, places, queued_after, rooms};
pub(crate) use priority::reprioritise;
pub use read::{dead, get, of_task};
pub use renew::renew;
pub(crate) use requeue::mark_requeued;
pub use requeue::requeue_dead;
pub use rescue::rescue;
pub(crate) use together::Together;

/// An order as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The task it works for.
    pub task_id: TaskId,
    /// The run it drives.
    pub run_id: RunId,
    /// The task's project.
    pub project_id: ProjectId,
    /// Its queue.
    pub queue: Name,
    /// The worker that holds it, or held it last.
    pub worker_id: Option<WorkerId>,
    /// Where it stands.
    pub status: OrderStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// Its place in the queue; lowest first. Counted from the time it was first due: an order submitted for tomorrow
    /// does not overtake what is submitted until then.
    pub score: i64,
    /// What a worker needs to run it.
    pub needs: Capabilities,
    /// Not before this time.
    pub run_at: Timestamp,
    /// When it entered the queue first.
    pub enqueued_at: Timestamp,
    /// When it was claimed last.
    pub claimed_at: Option<Timestamp>,
    /// When it reached its final status.
    pub completed_at: Option<Timestamp>,
    /// When it was parked; `None` unless it is.
    pub parked_at: Option<Timestamp>,
    /// When its lease runs out; `None` unless it is claimed.
    pub lease_expires_at: Option<Timestamp>,
    /// When somebody asked for its cancellation.
    pub cancel_requested_at: Option<Timestamp>,
    /// How often it was claimed.
    pub epoch: Epoch,
    /// Attempts that count: claims, less those that were parked or released.
    pub attempt: u32,
    /// Attempts in all.
    pub max_attempts: u32,
    /// `attempt` less one, floored at zero.
    pub retry_count: u32,
    /// How many workers were lost with it in hand.
    pub kills: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// The order that took its place, when it was dead and re-queued or its task was retried.
    pub requeued_as: Option<OrderId>,
}

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRequest {
    /// Who asks.
    pub worker_id: WorkerId,
    /// From these queues; empty for all.
    pub queues: Vec<Name>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How many orders at most; clamped to `1..=`[`ClaimRequest::MAX`].
    pub limit: u32,
    /// How long the leases last.
    pub lease: Duration,
}

impl ClaimRequest {
    /// The most orders one claim hands out.
    pub const MAX: u32 = 100;
}

/// An order in hand. The session and the execution were begun in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedOrder {
    /// The order, already claimed.
    pub order: Order,
    /// The run it drives.
    pub run: Run,
    /// The session that this claim opened.
    pub session_id: SessionRowId,
}

impl ClaimedOrder {
    /// The right to write about this order.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence { order_id: self.order.id, epoch: self.order.epoch }
    }

    /// The execution that this claim began. The session's row records it, so they share an id.
    #[must_use]
    pub fn execution_id(&self) -> ExecutionId {
        ExecutionId(self.session_id.0)
    }
}

/// What a renewal found out about one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// Still held; the lease is longer now.
    Held,
    /// Still held, and somebody asked for its cancellation: stop it and finish with [`Verdict::Cancelled`].
    CancelRequested,
    /// No longer this worker's: stop at once and write nothing.
    Lost,
}

/// How a worker ends its claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The work is done.
    Completed {
        /// The task's result.
        result: serde_json::Value,
    },
    /// The work cannot succeed; trying again would not help.
    Failed {
        /// Why, in one sentence.
        error: String,
        /// What there is of a result (findings, outputs).
        result: Option<serde_json::Value>,
    },
    /// The attempt failed for a reason that may pass. Becomes `dead` when it was the last attempt.
    Retry {
        /// Why, in one sentence.
        error: String,
        /// The backoff to wait before the next attempt.
        after: Duration,
    },
    /// It waits for a person. Lease and slot are free; the attempt is given back. When every question of the order has
    /// been closed meanwhile, it is queued again at once instead.
    Parked,
    /// Handed back unharmed (drain, session ended); the attempt is given back.
    Released {
        /// Why the session ends.
        reason: EndReason,
    },
    /// Stopped on request.
    Cancelled,
}

/// What a rescue did with an order whose lease had run out.
#[derive(Debug, Clone, PartialEq)]
pub struct Rescued {
    /// The order, as it is now: queued, dead or cancelled.
    pub order: Order,
}

/// How many orders wait and run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueDepth {
    /// The queue.
    pub queue: Name,
    /// The priority.
    pub priority: Priority,
    /// May be claimed now.
    pub ready: u64,
    /// Due later.
    pub delayed: u64,
    /// In a worker's hands.
    pub claimed: u64,
    /// Waiting for a person.
    pub parked: u64,
    /// Given up.
    pub dead: u64,
    /// When the oldest ready order was enqueued.
    pub oldest_ready_at: Option<Timestamp>,
}
