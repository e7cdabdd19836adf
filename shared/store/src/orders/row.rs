//! Rows of `work_orders`, and the order's small vocabulary for events.

use serde_json::{Value, json};
use shopfloor_domain::{
    Capabilities, Epoch, Name, OrderId, Priority, ProjectId, SessionRowId, TaskId, Timestamp,
    machine::Machine as _,
    order::{OrderEvent, OrderStatus},
    session::EndReason,
    task::TaskStatus,
};

use super::Order;
use crate::{
    Result, StoreError,
    entity::work_order::Model,
    events::TASK_MOVE,
    rows::{counter, word},
};

impl TryFrom<Model> for Order {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let attempt = counter("work_orders.attempt", row.attempt)?;
        Ok(Self {
            id: row.id.into(),
            task_id: row.task_id.into(),
            run_id: row.run_id.into(),
            project_id: row.project_id.into(),
            queue: word("work_orders.queue", &row.queue)?,
            worker_id: row.worker_id.map(Into::into),
            status: word("work_orders.status", &row.status)?,
            priority: word("work_orders.priority", &row.priority)?,
            score: row.score,
            needs: needs(&row.needs)?,
            run_at: Timestamp(row.run_at),
            enqueued_at: Timestamp(row.enqueued_at),
            claimed_at: row.claimed_at.map(Timestamp),
            completed_at: row.completed_at.map(Timestamp),
            parked_at: row.parked_at.map(Timestamp),
            lease_expires_at: row.lease_expires_at.map(Timestamp),
            cancel_requested_at: row.cancel_requested_at.map(Timestamp),
            epoch: Epoch(row.epoch),
            attempt,
            max_attempts: counter("work_orders.max_attempts", row.max_attempts)?,
            retry_count: attempt.saturating_sub(1),
            kills: counter("work_orders.kills", row.kills)?,
            error: row.error,
            requeued_as: row.requeued_as.map(Into::into),
        })
    }
}

pub(super) fn needs(key: &str) -> Result<Capabilities> {
    Capabilities::from_key(key).map_err(|problem| StoreError::corrupt("work_orders.needs", problem))
}

/// The lane of an order: within it, only the score decides.
pub(super) fn lane(queue: &Name, project: ProjectId, needs: &Capabilities) -> String {
    format!("{queue}/{project}/{}", needs.to_key())
}

/// A lane taken apart again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    pub(super) key: String,
    pub(super) queue: Name,
    pub(super) project: ProjectId,
    pub(super) needs: Capabilities,
}

impl Lane {
    pub(super) fn parse(key: String) -> Result<Self> {
        let corrupt = || StoreError::corrupt("work_orders.lane", format!("`{key}` is no lane"));
        let mut parts = key.splitn(3, '/');
        let (Some(queue), Some(project), Some(needed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(corrupt());
        };
        let queue = word("work_orders.lane", queue)?;
        let project = word("work_orders.lane", project)?;
        let needs = needs(needed)?;
        Ok(Self { key, queue, project, needs })
    }
}

/// The state after `event`. `Conflict` names the order when the move is not legal.
pub(super) fn step(id: OrderId, status: OrderStatus, event: OrderEvent) -> Result<OrderStatus> {
    status.step(event).map_err(|illegal| StoreError::Conflict {
        what: format!("order {id}"),
        tried: event.as_str(),
        state: illegal.state.to_string(),
    })
}

/// A task's move that came with its order's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskMove {
    pub(super) from: TaskStatus,
    pub(super) to: TaskStatus,
}

/// What moved an order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    /// Where it stood; `None` for a new order.
    pub(super) from: Option<OrderStatus>,
    /// What happened.
    pub(super) event: Option<OrderEvent>,
    /// The session that this opened or ended.
    pub(super) session: Option<SessionRowId>,
    /// Why the session ended.
    pub(super) end_reason: Option<EndReason>,
    /// The task's move with it.
    pub(super) task: Option<TaskMove>,
}

/// The payload of an `order.status` event, from the order as it is after the move. The task's move is a field of it, from
/// which [`crate::events::read`] tells the `task.status` event.
pub(super) fn status_payload(order: &Order, moved: Moved) -> Value {
    let mut payload = json!({
        "from": moved.from,
        "to": order.status,
        "event": moved.event,
        "epoch": order.epoch,
        "attempt": order.attempt,
        "worker_id": order.worker_id,
        "session_id": moved.session,
        "end_reason": moved.end_reason,
        "error": order.error,
    });
    if let Some(TaskMove { from, to }) = moved.task {
        payload[TASK_MOVE] = json!({"from": from, "to": to});
    }
    payload
}

/// Where an order due at `due` stands in its queue. A delayed order counts from the time it is due, or it would overtake
/// everything that was submitted while it was not meant to run.
pub(super) fn score(priority: Priority, due: Timestamp) -> i64 {
    priority.score(due)
}

/// What events about an order are filed under.
pub(super) fn subject(order: &Order) -> (Option<TaskId>, Option<OrderId>) {
    (Some(order.task_id), Some(order.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_comes_back_from_its_key() {
        let needs = Capabilities::from_key("gpu,python").unwrap();
        let (queue, project) = ("slow-lane".parse::<Name>().unwrap(), ProjectId::new());
        for needs in [needs, Capabilities::default()] {
            let lane = Lane::parse(lane(&queue, project, &needs)).unwrap();
            assert_eq!((lane.queue, lane.project, lane.needs), (queue.clone(), project, needs));
        }
        assert!(Lane::parse("default".to_owned()).is_err());
    }
}
