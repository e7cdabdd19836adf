//! Cancelling: at once while nobody works on it, on the worker's confirmation otherwise.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Expr};
use serde_json::json;
use shopfloor_domain::{
    Timestamp,
    event::EventKind,
    order::{OrderEvent, OrderStatus},
};

use super::{Order, conclude, row::subject};
use crate::{
    Result,
    entity::work_order::{Column, Entity},
    error::Doing as _,
    tx::Tx,
};

/// What became of a live order.
#[derive(Debug, Clone)]
pub(crate) enum CancelOutcome {
    /// It is cancelled, and with it its task, run, steps and questions.
    Now(Order),
    /// A worker holds it and learns of it at its next renewal.
    Requested(Order),
}

/// Cancels a live order that was locked in this transaction (see [`super::lock_live`]), or asks its worker to. Asking
/// twice changes nothing.
pub(crate) async fn cancel_live(tx: &Tx, order: Order, by: &str, now: Timestamp) -> Result<CancelOutcome> {
    if order.status != OrderStatus::Claimed {
        return conclude::cancel_waiting(tx, &order, now).await.map(CancelOutcome::Now);
    }
    if order.cancel_requested_at.is_some() {
        return Ok(CancelOutcome::Requested(order));
    }
    Entity::update_many()
        .col_expr(Column::CancelRequestedAt, Expr::value(now.0))
        .filter(Column::Id.eq(order.id.0))
        .exec(tx.db())
        .await
        .doing("asking for an order's cancellation")?;
    let (task, id) = subject(&order);
    let payload = json!({"event": OrderEvent::Cancelled, "by": by, "worker_id": order.worker_id});
    tx.event(EventKind::OrderCancelRequested, task, id, payload, now);
    Ok(CancelOutcome::Requested(Order { cancel_requested_at: Some(now), ..order }))
}
