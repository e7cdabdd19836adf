//! Keeping hold of orders.

use std::{collections::HashMap, time::Duration};

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    prelude::{Expr, Uuid},
};
use shopfloor_domain::{Fence, Timestamp, WorkerId};

use super::Renewed;
use crate::{
    Result, Store,
    entity::work_order::{Column, Entity, Model},
    error::Doing as _,
    tx::retrying,
};

/// Renews the leases of `held` in one statement; the outcomes come in the same order.
///
/// # Errors
/// [`crate::StoreError::Database`]; the caller does not know then what it holds and must try again before its leases end.
pub async fn renew(
    store: &Store,
    worker: WorkerId,
    held: &[Fence],
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Renewed>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let rows = retrying(|| renew_once(store, worker, held, lease, now)).await?;
    let rows: HashMap<Uuid, Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    let outcome = |fence: &Fence| match rows.get(&fence.order_id.0) {
        Some(row) if row.epoch == fence.epoch.0 && row.cancel_requested_at.is_some() => Renewed::CancelRequested,
        Some(row) if row.epoch == fence.epoch.0 => Renewed::Held,
        _ => Renewed::Lost,
    };
    Ok(held.iter().map(outcome).collect())
}

/// An order that this worker lost and claimed again is renewed whichever of its epochs was shown; only the epoch decides
/// who is told `Held`.
async fn renew_once(
    store: &Store,
    worker: WorkerId,
    held: &[Fence],
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Model>> {
    Entity::update_many()
        .col_expr(Column::LeaseExpiresAt, Expr::value((now + lease).0))
        .filter(Column::Id.is_in(held.iter().map(|fence| fence.order_id.0)))
        .filter(Column::WorkerId.eq(worker.0))
        .filter(Expr::cust("status = 'claimed'"))
        .exec_with_returning(store.writer())
        .await
        .doing("renewing leases")
}
