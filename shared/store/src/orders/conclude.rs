//! What every move out of `claimed` (and the cancellation of waiting orders) does to the order and to all that hangs on
//! it: task, run, steps, questions, execution, session, events, bell.

use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter, Statement, prelude::Expr};
use serde_json::{Value, json};
use shopfloor_domain::{
    Fence, Timestamp,
    event::EventKind,
    execution::ExecutionStatus,
    machine::Machine as _,
    order::{OrderEvent, OrderStatus},
    session::EndReason,
    task::TaskEvent,
};

use super::{
    Order,
    follow::follow_task,
    row::{Moved, status_payload, step, subject},
};
use crate::{
    Result, StoreError,
    entity::work_order::{Column, Entity},
    error::Doing as _,
    questions,
    rows::{clean, clean_json, sql_counter},
    sessions::{self, AttemptEnd},
    steps,
    tx::Tx,
};

const DOING: &str = "recording what became of an order";

/// How a claim ends.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// What happened to the order.
    pub(super) event: OrderEvent,
    /// Why it did not succeed; `None` leaves the order's last error as it is.
    pub(super) error: Option<String>,
    /// What the task gets, when it ends with this.
    pub(super) result: Option<Value>,
    /// When it may be claimed again, when it goes back into the queue.
    pub(super) run_at: Timestamp,
    /// Whether the attempt is given back.
    pub(super) give_back: bool,
    /// Whether it cost a worker.
    pub(super) killed: bool,
    /// How the execution ends.
    pub(super) execution: ExecutionStatus,
    /// Why the session ends.
    pub(super) session: EndReason,
}

impl Ending {
    /// An ending without any of the particulars.
    pub(super) fn new(event: OrderEvent, execution: ExecutionStatus, session: EndReason, now: Timestamp) -> Self {
        let (error, result, run_at) = (None, None, now);
        Self { event, error, result, run_at, give_back: false, killed: false, execution, session }
    }

    /// Stopped on request.
    pub(super) fn cancelled(now: Timestamp) -> Self {
        Self::new(OrderEvent::Cancelled, ExecutionStatus::Cancelled, EndReason::Requested, now)
    }

    /// Handed back without burning the attempt.
    pub(super) fn released(reason: EndReason, now: Timestamp) -> Self {
        let released = Self::new(OrderEvent::Released, ExecutionStatus::Released, reason, now);
        Self { give_back: true, ..released }
    }
}

/// Ends the claim of an order that was locked in this transaction and found to be claimed.
pub(super) async fn conclude(tx: &Tx, order: &Order, ending: Ending, now: Timestamp) -> Result<Order> {
    let to = step(order.id, order.status, ending.event)?;
    let mut after = order.clone();
    after.status = to;
    after.lease_expires_at = None;
    after.attempt = order.attempt.saturating_sub(u32::from(ending.give_back));
    after.retry_count = after.attempt.saturating_sub(1);
    after.kills = order.kills.saturating_add(u32::from(ending.killed));
    after.completed_at = to.is_final().then_some(now);
    after.parked_at = (to == OrderStatus::Parked).then_some(now);
    if to == OrderStatus::Queued {
        after.run_at = ending.run_at;
    }
    match ending.event {
        OrderEvent::Completed => after.error = None,
        _ => after.error = ending.error.as_deref().map(clean).or(after.error),
    }
    save(tx, order, &after).await?;
    let output =
        ending.result.clone().map(clean_json).or_else(|| ending.error.as_ref().map(|_| json!({"error": after.error})));
    let end = AttemptEnd { reason: ending.session, outcome: ending.execution, output };
    sessions::end_attempt(tx, order.id, end, now).await?;
    let moved = Moved {
        from: Some(order.status),
        event: Some(ending.event),
        end_reason: Some(ending.session),
        ..Moved::default()
    };
    after_move(tx, &after, moved, ending.result.map(clean_json), now).await?;
    free_slot(tx, &after).await?;
    Ok(after)
}

/// Hands an order back without burning its attempt, for `reason`: its session ended. A pending cancellation is carried
/// out instead, for nobody is left to confirm it.
pub(crate) async fn release(tx: &Tx, order: &Order, reason: EndReason, now: Timestamp) -> Result<Order> {
    let ending = match order.cancel_requested_at {
        Some(_) => Ending { session: reason, give_back: true, ..Ending::cancelled(now) },
        None => Ending::released(reason, now),
    };
    conclude(tx, order, ending, now).await
}

/// Puts a parked order, locked in this transaction, back into the queue at once.
pub(super) async fn requeue(tx: &Tx, order: &Order, event: OrderEvent, now: Timestamp) -> Result<Order> {
    let to = step(order.id, order.status, event)?;
    let after = Order { status: to, run_at: now, parked_at: None, ..order.clone() };
    save(tx, order, &after).await?;
    let moved = Moved { from: Some(order.status), event: Some(event), ..Moved::default() };
    after_move(tx, &after, moved, None, now).await?;
    Ok(after)
}

/// Cancels a queued or parked order that was locked in this transaction.
pub(super) async fn cancel_waiting(tx: &Tx, order: &Order, now: Timestamp) -> Result<Order> {
    let to = step(order.id, order.status, OrderEvent::Cancelled)?;
    let cancel_requested_at = order.cancel_requested_at.or(Some(now));
    let after = Order { status: to, parked_at: None, completed_at: Some(now), cancel_requested_at, ..order.clone() };
    save(tx, order, &after).await?;
    let moved = Moved { from: Some(order.status), event: Some(OrderEvent::Cancelled), ..Moved::default() };
    after_move(tx, &after, moved, None, now).await?;
    Ok(after)
}

/// Writes the columns that a move can change, if the row still is as it was read.
async fn save(tx: &Tx, before: &Order, after: &Order) -> Result<()> {
    let saved = Entity::update_many()
        .col_expr(Column::Status, Expr::value(after.status.as_str()))
        .col_expr(Column::RunAt, Expr::value(after.run_at.0))
        .col_expr(Column::LeaseExpiresAt, Expr::value(after.lease_expires_at.map(|at| at.0)))
        .col_expr(Column::CompletedAt, Expr::value(after.completed_at.map(|at| at.0)))
        .col_expr(Column::ParkedAt, Expr::value(after.parked_at.map(|at| at.0)))
        .col_expr(Column::CancelRequestedAt, Expr::value(after.cancel_requested_at.map(|at| at.0)))
        .col_expr(Column::Attempt, Expr::value(sql_counter(after.attempt)))
        .col_expr(Column::Kills, Expr::value(sql_counter(after.kills)))
        .col_expr(Column::Error, Expr::value(after.error.clone()))
        .filter(Column::Id.eq(before.id.0))
        .filter(Column::Epoch.eq(before.epoch.0))
        .filter(Column::Status.eq(before.status.as_str()))
        .exec(tx.db())
        .await
        .doing(DOING)?;
    match saved.rows_affected {
        1 => Ok(()),
        _ => Err(StoreError::Fenced { fence: Fence { order_id: before.id, epoch: before.epoch }, op: "move" }),
    }
}

/// The rest of a move: task and run, the event, the bell, steps and questions.
async fn after_move(tx: &Tx, after: &Order, moved: Moved, result: Option<Value>, now: Timestamp) -> Result<()> {
    let task_event = match after.status {
        OrderStatus::Completed => Some(TaskEvent::Completed),
        OrderStatus::Failed | OrderStatus::Dead => Some(TaskEvent::Failed),
        OrderStatus::Cancelled => Some(TaskEvent::Cancelled),
        OrderStatus::Queued | OrderStatus::Claimed | OrderStatus::Parked => None,
    };
    let task_move = match task_event {
        Some(event) => Some(follow_task(tx, after, event, result, now).await?),
        None => None,
    };
    let (task, id) = subject(after);
    tx.event(EventKind::OrderStatus, task, id, status_payload(after, Moved { task: task_move, ..moved }), now);
    if after.status == OrderStatus::Queued {
        tx.ring_orders();
    }
    if task_event.is_none() {
        return Ok(());
    }
    // A dead order's steps stay: once re-queued, it goes on at the first unfinished one.
    if after.status != OrderStatus::Dead {
        steps::cancel_unfinished(tx, after.run_id, now).await?;
    }
    questions::cancel_open(tx, after.id, now).await
}

/// Rings when the end of this claim may let another order of its project run.
async fn free_slot(tx: &Tx, order: &Order) -> Result<()> {
    let sql = "SELECT 1 AS one FROM projects WHERE id = $1 AND max_concurrency IS NOT NULL";
    let limited = Statement::from_sql_and_values(tx.db().get_database_backend(), sql, [order.project_id.0.into()]);
    if tx.db().query_one_raw(limited).await.doing(DOING)?.is_some() {
        tx.ring_orders();
    }
    Ok(())
}
