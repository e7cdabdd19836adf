//! Bringing dead letters back.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Expr};
use serde_json::{Value, json};
use shopfloor_domain::{OrderId, Timestamp, event::EventKind, order::OrderStatus, task::TaskEvent};

use super::{NewOrder, Order, follow::follow_task, insert, lock, row::TaskMove};
use crate::{
    Result, Store, StoreError, audit,
    entity::{
        pipeline, task,
        work_order::{Column, Entity},
    },
    error::Doing as _,
    tx::{Tx, retrying},
};

const DOING: &str = "re-queueing a dead letter";

/// Gives a dead order's task a new order on the same run: it goes on at the first unfinished step, with a full set of
/// attempts. `input` replaces the task's input when given. Returns the new order.
///
/// # Errors
/// `Conflict` when it is not dead or was re-queued before; `NotFound`, `Database`.
pub async fn requeue_dead(store: &Store, id: OrderId, input: Option<Value>, by: &str, now: Timestamp) -> Result<Order> {
    retrying(|| requeue_once(store, id, input.as_ref(), by, now)).await
}

async fn requeue_once(store: &Store, id: OrderId, input: Option<&Value>, by: &str, now: Timestamp) -> Result<Order> {
    let tx = store.begin(DOING).await?;
    let dead = lock(&tx, id).await?;
    refuse_unless_dead(&dead)?;
    if let Some(input) = input {
        replace_input(&tx, &dead, input).await?;
    }
    let TaskMove { from, to } = follow_task(&tx, &dead, TaskEvent::Retried, None, now).await?;
    tx.event(EventKind::TaskStatus, Some(dead.task_id), Some(dead.id), json!({"from": from, "to": to}), now);
    let order = insert(&tx, again(&dead), now).await?;
    mark_requeued(&tx, dead.id, order.id).await?;
    let payload = json!({"order_id": dead.id, "requeued_as": order.id, "input_replaced": input.is_some()});
    audit::write(&tx, Some(dead.run_id), None, "order.requeued", by, payload, now).await?;
    tx.commit().await?;
    Ok(order)
}

fn refuse_unless_dead(order: &Order) -> Result<()> {
    let state = match (order.status, order.requeued_as) {
        (OrderStatus::Dead, None) => return Ok(()),
        (OrderStatus::Dead, Some(later)) => format!("dead and was re-queued as {later}"),
        (status, _) => status.to_string(),
    };
    Err(StoreError::Conflict { what: format!("order {}", order.id), tried: "re-queued", state })
}

/// An order like this one, to be worked on from the beginning of its attempts.
fn again(order: &Order) -> NewOrder {
    NewOrder {
        task_id: order.task_id,
        run_id: order.run_id,
        project_id: order.project_id,
        queue: order.queue.clone(),
        priority: order.priority,
        needs: order.needs.clone(),
        run_at: None,
        max_attempts: order.max_attempts,
    }
}

/// Marks a dead order as taken up by a later one. The later one is there already.
pub(crate) async fn mark_requeued(tx: &Tx, dead: OrderId, later: OrderId) -> Result<()> {
    let mark = Entity::update_many()
        .col_expr(Column::RequeuedAs, Expr::value(later.0))
        .filter(Column::Id.eq(dead.0))
        .exec(tx.db());
    mark.await.doing(DOING).map(|_| ())
}

async fn replace_input(tx: &Tx, order: &Order, input: &Value) -> Result<()> {
    task::Entity::update_many()
        .col_expr(task::Column::Input, Expr::value(input.clone()))
        .filter(task::Column::Id.eq(order.task_id.0))
        .exec(tx.db())
        .await
        .doing(DOING)?;
    pipeline::Entity::update_many()
        .col_expr(pipeline::Column::Input, Expr::value(input.clone()))
        .filter(pipeline::Column::Id.eq(order.run_id.0))
        .exec(tx.db())
        .await
        .doing(DOING)?;
    Ok(())
}
