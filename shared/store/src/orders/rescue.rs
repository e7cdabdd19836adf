//! Taking orders back from workers that fell silent.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::Expr,
    sea_query::{LockBehavior, LockType},
};
use shopfloor_domain::{
    Timestamp, backoff::RetryPolicy, execution::ExecutionStatus, order::OrderEvent, session::EndReason,
};

use super::{
    Order, Rescued,
    conclude::{Ending, conclude},
};
use crate::{
    Result, Store,
    entity::work_order::{Column, Entity},
    error::Doing as _,
    tx::retrying,
};

/// Takes back at most `limit` orders whose lease has run out: to the queue with a backoff, to `cancelled` when that was
/// asked for, to `dead` when it has cost `policy.max_kills` workers or this was its last attempt: an order that may be
/// tried once must not run twice because a worker was lost. `draw` is the jitter, `0.0..=1.0`.
///
/// The first lost worker costs no waiting time: usually the worker is at fault, not the order.
///
/// # Errors
/// [`crate::StoreError::Database`].
pub async fn rescue(
    store: &Store,
    policy: &RetryPolicy,
    draw: f64,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Rescued>> {
    retrying(|| rescue_once(store, policy, draw, limit, now)).await
}

async fn rescue_once(
    store: &Store,
    policy: &RetryPolicy,
    draw: f64,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Rescued>> {
    const DOING: &str = "rescuing orders whose lease ran out";
    let expired = Entity::find().filter(Expr::cust("status = 'claimed'")).filter(Column::LeaseExpiresAt.lte(now.0));
    let expired = expired.order_by_asc(Column::LeaseExpiresAt).limit(u64::from(limit));
    // Most passes find nothing: look first, without a writing transaction.
    if expired.clone().one(store.read()).await.doing(DOING)?.is_none() {
        return Ok(Vec::new());
    }
    let tx = store.begin(DOING).await?;
    let rows =
        expired.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(tx.db()).await.doing(DOING)?;
    let mut rescued = Vec::with_capacity(rows.len());
    for row in rows {
        let order = Order::try_from(row)?;
        let ending = ending(&order, policy, draw, now);
        rescued.push(Rescued { order: conclude(&tx, &order, ending, now).await? });
    }
    tx.commit().await?;
    Ok(rescued)
}

fn ending(order: &Order, policy: &RetryPolicy, draw: f64, now: Timestamp) -> Ending {
    let kills = order.kills.saturating_add(1);
    let (event, error) = if order.cancel_requested_at.is_some() {
        (OrderEvent::Cancelled, "Its worker was lost before it confirmed the cancellation.".to_owned())
    } else if kills >= policy.max_kills {
        (OrderEvent::Exhausted, poison(kills))
    } else if order.attempt >= order.max_attempts {
        (OrderEvent::Exhausted, last_attempt(order.max_attempts))
    } else {
        (OrderEvent::LeaseExpired, "Its worker was lost: it stopped renewing its lease.".to_owned())
    };
    let wait = if kills > 1 { policy.backoff(kills - 1, draw) } else { Duration::ZERO };
    let lost = Ending::new(event, ExecutionStatus::Lost, EndReason::WorkerLost, now);
    Ending { error: Some(error), run_at: now + wait, killed: true, ..lost }
}

fn poison(kills: u32) -> String {
    let workers = if kills == 1 { "worker".to_owned() } else { format!("{kills} workers") };
    format!("Given up: it cost {workers}, lost (killed, out of memory or silent) while working on it.")
}

fn last_attempt(attempts: u32) -> String {
    let which = if attempts == 1 { "only attempt".to_owned() } else { format!("last of {attempts} attempts") };
    format!("Given up: its worker was lost (killed, out of memory or silent) in the {which}.")
}
