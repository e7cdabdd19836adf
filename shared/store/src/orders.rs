//! Work orders: claimed with an epoch, held by a lease, ended by a verdict.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Capabilities, Epoch, ExecutionId, Fence, Name, OrderId, Priority, ProjectId, RunId, SessionRowId, TaskId,
    Timestamp, WorkerId, backoff::RetryPolicy, order::OrderStatus, session::EndReason,
};

use crate::{Page, PageRequest, Result, Store};

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
    /// Its place in the queue; lowest first.
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
    /// The session that this claim opened.
    pub session_id: SessionRowId,
    /// The execution that this claim began.
    pub execution_id: ExecutionId,
}

impl ClaimedOrder {
    /// The right to write about this order.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence { order_id: self.order.id, epoch: self.order.epoch }
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

/// Claims up to `limit` due orders, lowest score first: unpaused queues, covered needs, project limits kept. One
/// transaction mints each epoch, counts the attempt, opens the session and begins the execution.
pub async fn claim(_store: &Store, _request: &ClaimRequest, _now: Timestamp) -> Result<Vec<ClaimedOrder>> {
    todo!()
}

/// Renews the leases of `held` in one statement; the outcomes come in the same order.
pub async fn renew(
    _store: &Store,
    _worker: WorkerId,
    _held: &[Fence],
    _lease: Duration,
    _now: Timestamp,
) -> Result<Vec<Renewed>> {
    todo!()
}

/// Ends a claim: order, task, run, execution, session and events in one transaction. Returns the order as it is now.
///
/// # Errors
/// `Fenced` when the claim is no longer valid; nothing is written then.
pub async fn finish(_store: &Store, _fence: Fence, _verdict: Verdict, _now: Timestamp) -> Result<Order> {
    todo!()
}

/// Takes back at most `limit` orders whose lease has run out: to the queue with a backoff, to `cancelled` when that was
/// asked for, to `dead` when it has cost `policy.max_kills` workers. `draw` is the jitter, `0.0..=1.0`.
pub async fn rescue(
    _store: &Store,
    _policy: &RetryPolicy,
    _draw: f64,
    _limit: u32,
    _now: Timestamp,
) -> Result<Vec<Rescued>> {
    todo!()
}

/// One order.
pub async fn get(_store: &Store, _id: OrderId) -> Result<Order> {
    todo!()
}

/// The orders of a task, oldest first.
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<Order>> {
    todo!()
}

/// Dead letters that have not been re-queued, newest first.
pub async fn dead(_store: &Store, _page: &PageRequest) -> Result<Page<Order>> {
    todo!()
}

/// Gives a dead order's task a new order on the same run: it goes on at the first unfinished step, with a full set of
/// attempts. `input` replaces the task's input when given. Returns the new order. `Conflict` when it is not dead or was
/// re-queued before.
pub async fn requeue_dead(
    _store: &Store,
    _id: OrderId,
    _input: Option<serde_json::Value>,
    _by: &str,
    _now: Timestamp,
) -> Result<Order> {
    todo!()
}

/// Depth per queue and priority. Every priority of every queue has a row.
pub async fn depth(_store: &Store, _now: Timestamp) -> Result<Vec<QueueDepth>> {
    todo!()
}

/// When the next delayed order is due; `None` when nothing is delayed.
pub async fn next_due(_store: &Store, _now: Timestamp) -> Result<Option<Timestamp>> {
    todo!()
}
