//! Steps and executions.

use serde_json::Value;
use shopfloor_domain::{
    Epoch, ExecutionId, OrderId, RunId, SessionRowId, StepId, TaskId, Timestamp, WorkerId,
    execution::ExecutionStatus,
    step::{StepKind, StepStatus},
};
use shopfloor_store::{executions::Execution, steps::Step};

view! {
    /// A step.
    StepOut from Step {
        /// Its id.
        id: StepId,
        /// The run it belongs to.
        run_id: RunId,
        /// The run's task.
        task_id: TaskId,
        /// The order that worked on it last.
        order_id: OrderId,
        /// Its place in the run.
        order_index: u32,
        /// Its name in the pipeline.
        name: String,
        /// What it does.
        kind: StepKind,
        /// The agent that acts in it.
        agent_name: Option<String>,
        /// Which round of this name it is.
        round: u32,
        /// Where it stands.
        status: StepStatus,
        /// The epoch that worked on it last.
        epoch: Epoch,
        /// How often it was started.
        attempt: u32,
        /// What it was given.
        input: Value,
        /// What it came to.
        output: Option<Value>,
        /// Why it failed.
        error: Option<String>,
        /// When it was started first.
        started_at: Option<Timestamp>,
        /// When it ended.
        finished_at: Option<Timestamp>,
    }
}

view! {
    /// One attempt of an order on one worker.
    ExecutionOut from Execution {
        /// Its id.
        id: ExecutionId,
        /// The task.
        task_id: TaskId,
        /// The order.
        order_id: OrderId,
        /// The worker.
        worker_id: WorkerId,
        /// The session.
        session_id: SessionRowId,
        /// The order's epoch in this attempt.
        epoch: Epoch,
        /// How it stands.
        status: ExecutionStatus,
        /// When it began.
        started_at: Timestamp,
        /// When it ended.
        completed_at: Option<Timestamp>,
        /// What it came to.
        output: Option<Value>,
    }
}
