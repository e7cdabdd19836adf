//! Signs of life of a session. Renewing a lease is none: it says that the worker lives, not that it works.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    prelude::Expr,
    sea_query::{LockBehavior, LockType},
};
use shopfloor_domain::{
    SessionRowId, Timestamp,
    session::{SessionEvent, SessionStatus},
};

use super::{Session, row};
use crate::{
    Result, Store,
    entity::session::{Column, Entity},
    error::Doing as _,
    orders::Order,
    tx::{Tx, retrying},
};

/// Notes activity. `Conflict` when it is over.
///
/// # Errors
/// `NotFound`, `Conflict`, `Database`.
pub async fn touch(store: &Store, id: SessionRowId, now: Timestamp) -> Result<Session> {
    retrying(|| async {
        const DOING: &str = "noting a session's activity";
        let tx = store.begin(DOING).await?;
        let row = row::lock(&tx, id, DOING).await?;
        let session = row::apply(&tx, row, SessionEvent::Activity, None, now).await?;
        tx.commit().await?;
        Ok(session)
    })
    .await
}

/// Notes that the worker of a claimed order has written something. Passes by a session that is being ended right now.
pub(crate) async fn note_activity(tx: &Tx, order: &Order, now: Timestamp) -> Result<()> {
    const DOING: &str = "noting a session's activity";
    let active = Entity::update_many()
        .col_expr(Column::LastActivityAt, Expr::value(now.0))
        .filter(Column::OrderId.eq(order.id.0))
        .filter(Expr::cust("status <> 'terminated'"))
        .filter(Column::Status.eq(SessionStatus::Active.as_str()))
        .exec(tx.db())
        .await
        .doing(DOING)?;
    if active.rows_affected > 0 {
        return Ok(());
    }
    let idle = Entity::find()
        .filter(Column::OrderId.eq(order.id.0))
        .filter(Expr::cust("status <> 'terminated'"))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    match idle.one(tx.db()).await.doing(DOING)? {
        Some(row) => row::apply(tx, row, SessionEvent::Activity, None, now).await.map(|_| ()),
        None => Ok(()),
    }
}
