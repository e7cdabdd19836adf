//! Ending sessions.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    prelude::Expr,
};
use shopfloor_domain::{
    OrderId, SessionRowId, Timestamp,
    order::OrderStatus,
    session::{EndReason, SessionEvent, SessionStatus},
};

use super::{Session, row};
use crate::{
    Result, Store, StoreError,
    entity::session::{Column, Entity},
    error::Doing as _,
    orders::{self, Completed, Order},
    rows::Values,
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

/// Ends the session that holds this order, if one does: its claim has ended.
pub(crate) async fn end_of_order(tx: &Tx, order: &Order, reason: EndReason, now: Timestamp) -> Result<()> {
    let live = Entity::find()
        .filter(Column::OrderId.eq(order.id.0))
        .filter(Expr::cust("status <> 'terminated'"))
        .lock_exclusive();
    match live.one(tx.db()).await.doing(DOING)? {
        Some(row) => row::apply(tx, row, SessionEvent::Terminated, Some(reason), now).await.map(|_| ()),
        None => Ok(()),
    }
}

/// Ends the sessions that hold these orders: their claims have ended.
pub(crate) async fn end_of_orders(tx: &Tx, ended: &[Completed], reason: EndReason) -> Result<()> {
    let times: HashMap<OrderId, Timestamp> = ended.iter().map(|ended| (ended.order.id, ended.now)).collect();
    let live = Entity::find()
        .filter(Column::OrderId.is_in(times.keys().map(|order| order.0)))
        .filter(Expr::cust("status <> 'terminated'"))
        .order_by_asc(Column::Id)
        .lock_exclusive();
    let mut rows = Values::new([reason.as_str().into()]);
    for row in live.all(tx.db()).await.doing(DOING)? {
        let Some(now) = row.order_id.and_then(|order| times.get(&OrderId(order))) else { continue };
        rows.push([row.id.into(), now.0.into()]);
        row::announce_end(tx, row, reason, *now)?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE sessions SET status = 'terminated', terminated_at = v.column2, end_reason = $1 FROM {} \
         WHERE sessions.id = v.column1",
        rows.list()
    );
    tx.db().execute_raw(rows.statement(tx.db(), &sql)).await.doing(DOING).map(|_| ())
}
