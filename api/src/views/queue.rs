//! The worker protocol and the state of queues.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{
    Capabilities, Epoch, ExecutionId, Fence, Name, OrderId, Priority, ProjectId, RunId, SessionRowId, TaskId,
    Timestamp, WorkerId, order::OrderStatus,
};
use shopfloor_store::{
    orders::{Order, QueueDepth, Renewed},
    queues::Queue,
};
use utoipa::ToSchema;

use super::{
    questions::{AnswerOut, PutIn, QuestionOut},
    tasks::TaskOut,
};

view! {
    /// An order: one entry of a task in a queue.
    OrderOut from Order {
        /// Its id.
        id: OrderId,
        /// The task it works for.
        task_id: TaskId,
        /// The run it drives.
        run_id: RunId,
        /// The task's project.
        project_id: ProjectId,
        /// Its queue.
        queue: Name,
        /// The worker that holds it, or held it last.
        worker_id: Option<WorkerId>,
        /// Where it stands.
        status: OrderStatus,
        /// How urgent it is.
        priority: Priority,
        /// Its place in the queue; lowest first.
        score: i64,
        /// What a worker needs to run it.
        needs: Capabilities,
        /// Not before this time.
        run_at: Timestamp,
        /// When it entered the queue first.
        enqueued_at: Timestamp,
        /// When it was claimed last.
        claimed_at: Option<Timestamp>,
        /// When it reached its final status.
        completed_at: Option<Timestamp>,
        /// When it was parked.
        parked_at: Option<Timestamp>,
        /// When its lease runs out.
        lease_expires_at: Option<Timestamp>,
        /// When its cancellation was asked for.
        cancel_requested_at: Option<Timestamp>,
        /// How often it was claimed.
        epoch: Epoch,
        /// Attempts that count.
        attempt: u32,
        /// Attempts in all.
        max_attempts: u32,
        /// `attempt` less one.
        retry_count: u32,
        /// How many workers were lost with it in hand.
        kills: u32,
        /// Why the last attempt failed.
        error: Option<String>,
        /// The order that took its place.
        requeued_as: Option<OrderId>,
    }
}

/// What a worker asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimIn {
    /// Who asks; registered before.
    pub(crate) worker_id: WorkerId,
    /// How many orders at most, 1 to 100; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    /// What it can do; as registered when absent.
    #[serde(default)]
    pub(crate) capabilities: Option<Capabilities>,
    /// From these queues; as registered when absent, from all when empty.
    #[serde(default)]
    pub(crate) queues: Option<Vec<Name>>,
    /// How long the leases last, 1 to 3600 seconds; the server's default when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3600)]
    pub(crate) lease_seconds: Option<u64>,
    /// How long to wait for an order, 0 to 30 seconds; 0 when absent.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 30)]
    pub(crate) wait_seconds: Option<u64>,
}

/// An order in hand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimedOut {
    /// The order.
    #[serde(flatten)]
    pub(crate) order: OrderOut,
    /// The session that the claim opened.
    pub(crate) session_id: SessionRowId,
    /// The execution that the claim began.
    pub(crate) execution_id: ExecutionId,
    /// What every report about this order must show.
    pub(crate) fence: Fence,
    /// The task.
    pub(crate) task: TaskOut,
    /// What the workers of an external pipeline have asked so far, in the order of asking: a worker that finds its question
    /// here goes on with the answer instead of asking again.
    pub(crate) answers: Vec<AnswerOut>,
}

/// Orders in hand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimsOut {
    /// The orders; empty when there was nothing.
    pub(crate) orders: Vec<ClaimedOut>,
    /// When the leases run out; renew well before.
    pub(crate) lease_expires_at: Timestamp,
}

/// What a worker still holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewIn {
    /// Who holds it.
    pub(crate) worker_id: WorkerId,
    /// At most 1000 orders with their epochs.
    pub(crate) held: Vec<FenceIn>,
    /// How long the leases last from now, 1 to 3600 seconds; the server's default when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3600)]
    pub(crate) lease_seconds: Option<u64>,
}

/// Which claim of which order.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FenceIn {
    /// The order.
    pub(crate) order_id: OrderId,
    /// The epoch it was claimed with.
    #[schema(minimum = 0)]
    pub(crate) epoch: i64,
}

/// Gives the reports about one claim its fence.
macro_rules! fenced {
    ($($body:ident),+) => {$(
        impl $body {
            /// The claim that is shown.
            pub(crate) const fn fence(&self) -> Fence {
                Fence { order_id: self.order_id, epoch: Epoch(self.epoch) }
            }
        }
    )+};
}
fenced!(FenceIn, CompleteIn, FailIn, ReleaseIn, ParkIn);

/// What became of one lease.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RenewedOut {
    /// The order and its epoch.
    #[serde(flatten)]
    pub(crate) fence: Fence,
    /// `held`, `cancel_requested` (stop and release with `cancelled`) or `lost` (stop and write nothing).
    #[schema(value_type = String)]
    pub(crate) outcome: &'static str,
}

impl RenewedOut {
    pub(crate) const fn new(fence: Fence, renewed: Renewed) -> Self {
        let outcome = match renewed {
            Renewed::Held => "held",
            Renewed::CancelRequested => "cancel_requested",
            Renewed::Lost => "lost",
        };
        Self { fence, outcome }
    }
}

/// What became of the leases, in the request's order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RenewalsOut {
    /// One entry per order.
    pub(crate) items: Vec<RenewedOut>,
}

/// The work is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompleteIn {
    /// The order.
    pub(crate) order_id: OrderId,
    /// The epoch it was claimed with.
    #[schema(minimum = 0)]
    pub(crate) epoch: i64,
    /// The task's result, at most 512 KiB as JSON.
    #[serde(default)]
    pub(crate) result: Value,
}

/// The attempt failed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailIn {
    /// The order.
    pub(crate) order_id: OrderId,
    /// The epoch it was claimed with.
    #[schema(minimum = 0)]
    pub(crate) epoch: i64,
    /// Why, in one sentence.
    pub(crate) error: String,
    /// Whether the reason may pass: the order is tried again after a backoff while it has attempts left.
    #[serde(default)]
    pub(crate) retry: bool,
    /// What there is of a result, without `retry`.
    #[serde(default)]
    pub(crate) result: Option<Value>,
}

/// The order is handed back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseIn {
    /// The order.
    pub(crate) order_id: OrderId,
    /// The epoch it was claimed with.
    #[schema(minimum = 0)]
    pub(crate) epoch: i64,
    /// Confirms a requested cancellation instead.
    #[serde(default)]
    pub(crate) cancelled: bool,
}

/// The order waits for a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParkIn {
    /// The order.
    pub(crate) order_id: OrderId,
    /// The epoch it was claimed with.
    #[schema(minimum = 0)]
    pub(crate) epoch: i64,
    /// What it waits for.
    pub(crate) question: PutIn,
}

/// A parked order. Nothing of it is the worker's any more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedOut {
    /// The order: `parked`, `queued` when the answer was there already, or `cancelled` when that was asked for.
    pub(crate) order: OrderOut,
    /// The question.
    pub(crate) question: QuestionOut,
}

/// A task to run again. `POST /queue/enqueue` takes this or a task to submit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnqueueTaskIn {
    /// A failed or cancelled task.
    pub(crate) task_id: TaskId,
}

/// Either a task to submit or one to run again.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only for the description; the handler tells the two apart by `task_id`")]
pub(crate) enum EnqueueIn {
    Again(EnqueueTaskIn),
    New(Box<super::tasks::SubmitIn>),
}

view! {
    /// How many orders of one priority wait and run in one queue.
    DepthOut from QueueDepth {
        /// The queue.
        queue: Name,
        /// The priority.
        priority: Priority,
        /// May be claimed now.
        ready: u64,
        /// Due later.
        delayed: u64,
        /// In a worker's hands.
        claimed: u64,
        /// Waiting for a person.
        parked: u64,
        /// Given up.
        dead: u64,
        /// When the oldest ready order was enqueued.
        oldest_ready_at: Option<Timestamp>,
    }
}

view! {
    /// A queue.
    QueueOut from Queue {
        /// Its name.
        name: Name,
        /// Since when it is paused.
        paused_at: Option<Timestamp>,
        /// Who paused it.
        paused_by: Option<String>,
    }
}

/// The state of every queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusOut {
    /// How orders are dispatched: `sql` or `redis`.
    #[schema(value_type = String)]
    pub(crate) mode: &'static str,
    /// The queues.
    pub(crate) queues: Vec<QueueOut>,
    /// Depth per queue and priority.
    pub(crate) depth: Vec<DepthOut>,
    /// Orders that may be claimed now, over all queues, by priority.
    pub(crate) ready: ByPriority,
    /// Questions that wait for an answer: requests of workers.
    pub(crate) open_questions: u64,
    /// The time of this look.
    pub(crate) at: Timestamp,
}

/// A number per priority.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ByPriority {
    pub(crate) high: u64,
    pub(crate) normal: u64,
    pub(crate) low: u64,
}

/// A dead letter to queue again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequeueIn {
    /// Takes the place of the task's input.
    #[serde(default)]
    pub(crate) input: Option<Value>,
}
