//! Ending sessions.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, prelude::Expr};
use shopfloor_domain::{
    OrderId, SessionRowId, Timestamp,
    execution::ExecutionStatus,
    order::OrderStatus,
    session::{EndReason, SessionEvent, SessionStatus},
};

use super::{Session, row};
use crate::{
    Result, Store, StoreError,
    entity::session::{Column, Entity},
    error::Doing as _,
    orders,
    tx::{Tx, retrying},
};

const DOING: &str = "ending a session";

/// Ends a session. The order it holds goes back to the queue without burning an attempt (its worker becomes a ghost).
/// Returns that order's id, to be published.
///
/// # Errors
/// `NotFound`, `Conflict` when it is over, `Database`.
pub async fn terminate(
    store: &Store,
    id: SessionRowId,
    reason: EndReason,
    now: Timestamp,
) -> Result<(Session, Option<OrderId>)> {
    retrying(|| async {
        let tx = store.begin(DOING).await?;
        let outcome = end(&tx, id, reason, now).await?;
        tx.commit().await?;
        Ok(outcome)
    })
    .await
}

/// Ends a session inside a transaction. Its order is locked before the session, as everywhere.
pub(super) async fn end(
    tx: &Tx,
    id: SessionRowId,
    reason: EndReason,
    now: Timestamp,
) -> Result<(Session, Option<OrderId>)> {
    let row = Entity::find_by_id(id.0).one(tx.db()).await.doing(DOING)?;
    let row = row.ok_or_else(|| StoreError::not_found("session", id))?;
    let order = match row.order_id {
        Some(order) => Some(orders::lock(tx, order.into()).await?),
        None => None,
    };
    // The order's lock keeps claims and verdicts away, so the session is read again: it may just have ended.
    let row = row::lock(tx, id, DOING).await?;
    let held =
        order.filter(|order| row.status != SessionStatus::Terminated.as_str() && order.status == OrderStatus::Claimed);
    let Some(order) = held else {
        let session = row::apply(tx, row, SessionEvent::Terminated, Some(reason), now).await?;
        return Ok((session, None));
    };
    let released = orders::release(tx, &order, reason, now).await?;
    let session = row::lock(tx, id, DOING).await?.try_into()?;
    Ok((session, (released.status == OrderStatus::Queued).then_some(released.id)))
}

/// How the attempt of a claim ended.
#[derive(Debug, Clone)]
pub(crate) struct AttemptEnd {
    /// Why the session ends.
    pub(crate) reason: EndReason,
    /// What became of the attempt.
    pub(crate) outcome: ExecutionStatus,
    /// What it came to: the verdict's result or error.
    pub(crate) output: Option<serde_json::Value>,
}

/// Ends the session of a claim, and with it the attempt. The log tells of it with the order's move.
pub(crate) async fn end_attempt(tx: &Tx, order: OrderId, end: AttemptEnd, now: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(SessionStatus::Terminated.as_str()))
        .col_expr(Column::TerminatedAt, Expr::value(now.0))
        .col_expr(Column::EndReason, Expr::value(end.reason.as_str()))
        .col_expr(Column::Outcome, Expr::value(end.outcome.as_str()))
        .col_expr(Column::Output, Expr::value(end.output))
        .filter(Column::OrderId.eq(order.0))
        .filter(Expr::cust("status <> 'terminated'"))
        .exec(tx.db())
        .await
        .doing(DOING)
        .map(|_| ())
}
