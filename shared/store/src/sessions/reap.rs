//! The rule by which idle and old sessions end.

use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    prelude::Expr,
    sea_query::{LockBehavior, LockType},
};
use shopfloor_domain::{
    OrderId, SessionRowId, Timestamp,
    session::{SessionEvent, SessionPolicy, SessionStatus},
};

use super::{Session, end::end, row};
use crate::{
    Result, Store, StoreError,
    entity::session::{Column, Entity},
    error::Doing as _,
    tx::retrying,
};

const DOING: &str = "ending idle and old sessions";

/// One pass: marks idle sessions, ends those that `policy` says must end (at most `limit`). Returns the ended ones and
/// the orders that went back to the queue, to be published. Safe to run twice.
///
/// # Errors
/// `Database`. What the pass did before stays done; the next one goes on.
pub async fn reap(
    store: &Store,
    policy: &SessionPolicy,
    limit: u32,
    now: Timestamp,
) -> Result<(Vec<Session>, Vec<OrderId>)> {
    let (mut ended, mut orders) = (Vec::new(), Vec::new());
    let over = Condition::any()
        .add(Column::LastActivityAt.lt((now - policy.idle_timeout).0))
        .add(Column::CreatedAt.lt((now - policy.max_age).0));
    let rows = Entity::find().filter(live()).filter(over).order_by_asc(Column::LastActivityAt).limit(u64::from(limit));
    for row in rows.all(store.read()).await.doing(DOING)? {
        if let Some((session, order)) = end_if_over(store, row.id.into(), policy, now).await? {
            ended.push(session);
            orders.extend(order);
        }
    }
    retrying(|| mark_idle(store, policy, limit, now)).await?;
    Ok((ended, orders))
}

/// Ends one session in a transaction of its own, unless it showed activity or ended in the meantime.
async fn end_if_over(
    store: &Store,
    id: SessionRowId,
    policy: &SessionPolicy,
    now: Timestamp,
) -> Result<Option<(Session, Option<OrderId>)>> {
    retrying(|| async {
        let tx = store.begin(DOING).await?;
        let row = Entity::find_by_id(id.0).one(tx.db()).await.doing(DOING)?;
        let Some(session) = row.map(Session::try_from).transpose()? else { return Ok(None) };
        let reason = policy.end_reason(session.created_at, session.last_activity_at, now);
        let Some(reason) = reason.filter(|_| session.terminated_at.is_none()) else { return Ok(None) };
        match end(&tx, id, reason, now).await {
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(outcome) => {
                tx.commit().await?;
                Ok(Some(outcome))
            }
        }
    })
    .await
}

async fn mark_idle(store: &Store, policy: &SessionPolicy, limit: u32, now: Timestamp) -> Result<()> {
    let quiet = Entity::find()
        .filter(live())
        .filter(Column::Status.eq(SessionStatus::Active.as_str()))
        .filter(Column::LastActivityAt.lt((now - policy.idle_after).0))
        .order_by_asc(Column::LastActivityAt)
        .limit(u64::from(limit));
    if quiet.clone().one(store.read()).await.doing(DOING)?.is_none() {
        return Ok(());
    }
    let tx = store.begin(DOING).await?;
    let rows = quiet.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(tx.db()).await.doing(DOING)?;
    for row in rows {
        row::apply(&tx, row, SessionEvent::WentIdle, None, now).await?;
    }
    tx.commit().await
}

/// As the index of live sessions has it.
fn live() -> Expr {
    Expr::cust("status <> 'terminated'")
}
