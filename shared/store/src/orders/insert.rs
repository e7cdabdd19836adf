//! New orders.

use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use serde_json::Value;
use shopfloor_domain::{
    Capabilities, Epoch, Name, OrderId, Priority, ProjectId, RunId, TaskId, Timestamp, event::EventKind,
    machine::Machine as _, order::OrderStatus,
};

use super::{
    Order,
    row::{Moved, lane, score, status_payload, subject},
};
use crate::{
    Result,
    entity::{queue, work_order},
    error::Doing as _,
    rows::sql_counter,
    tx::Tx,
};

/// Rows per statement: few enough that their values stay below the number that one statement may hold.
const BATCH: usize = 500;
const DOING: &str = "putting orders into the queue";

/// An order to insert. Its task and run are there already.
#[derive(Debug, Clone)]
pub(crate) struct NewOrder {
    pub(crate) task_id: TaskId,
    pub(crate) run_id: RunId,
    pub(crate) project_id: ProjectId,
    pub(crate) queue: Name,
    pub(crate) priority: Priority,
    pub(crate) needs: Capabilities,
    /// Not before this time; `None` for at once.
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) max_attempts: u32,
}

/// Inserts one order with its event, and makes its queue. Rings the orders' bell on commit.
pub(crate) async fn insert(tx: &Tx, new: NewOrder, now: Timestamp) -> Result<Order> {
    let order = planned(new, now);
    ensure_queue(tx, &order.queue).await?;
    insert_rows(tx, [&order]).await?;
    let (task, id) = subject(&order);
    tx.event(EventKind::OrderStatus, task, id, born(&order), now);
    tx.ring_orders();
    Ok(order)
}

/// What the log says of a new order.
pub(crate) fn born(order: &Order) -> Value {
    status_payload(order, Moved::default())
}

/// Inserts orders and nothing else.
pub(crate) async fn insert_rows<'a>(tx: &Tx, orders: impl IntoIterator<Item = &'a Order>) -> Result<()> {
    let rows: Vec<work_order::ActiveModel> = orders.into_iter().map(active).collect();
    for batch in rows.chunks(BATCH) {
        let insert = work_order::Entity::insert_many(batch.to_vec()).exec_without_returning(tx.db());
        insert.await.doing(DOING)?;
    }
    Ok(())
}

/// Makes the queue if its name is new.
pub(crate) async fn ensure_queue(tx: &Tx, name: &Name) -> Result<()> {
    // Most orders go there, and the migration made it.
    if *name == Name::DEFAULT {
        return Ok(());
    }
    let row = queue::ActiveModel { name: Set(name.as_str().to_owned()), paused_at: Set(None), paused_by: Set(None) };
    let nothing = OnConflict::column(queue::Column::Name).do_nothing().to_owned();
    queue::Entity::insert(row).on_conflict(nothing).exec_without_returning(tx.db()).await.doing(DOING)?;
    Ok(())
}

/// The order as it will be written.
pub(crate) fn planned(new: NewOrder, now: Timestamp) -> Order {
    let due = new.run_at.unwrap_or(now).max(now);
    Order {
        id: OrderId::new(),
        task_id: new.task_id,
        run_id: new.run_id,
        project_id: new.project_id,
        queue: new.queue,
        worker_id: None,
        status: OrderStatus::INITIAL,
        priority: new.priority,
        score: score(new.priority, due),
        needs: new.needs,
        run_at: due,
        enqueued_at: now,
        claimed_at: None,
        completed_at: None,
        parked_at: None,
        lease_expires_at: None,
        cancel_requested_at: None,
        epoch: Epoch(0),
        attempt: 0,
        max_attempts: new.max_attempts.max(1),
        retry_count: 0,
        kills: 0,
        error: None,
        requeued_as: None,
    }
}

/// The lane it belongs to.
pub(crate) fn lane_of(order: &Order) -> String {
    lane(&order.queue, order.project_id, &order.needs)
}

fn active(order: &Order) -> work_order::ActiveModel {
    work_order::ActiveModel {
        id: Set(order.id.0),
        task_id: Set(order.task_id.0),
        run_id: Set(order.run_id.0),
        project_id: Set(order.project_id.0),
        queue: Set(order.queue.as_str().to_owned()),
        lane: Set(lane_of(order)),
        worker_id: Set(None),
        status: Set(order.status.as_str().to_owned()),
        priority: Set(order.priority.as_str().to_owned()),
        score: Set(order.score),
        needs: Set(order.needs.to_key()),
        run_at: Set(order.run_at.0),
        enqueued_at: Set(order.enqueued_at.0),
        claimed_at: Set(None),
        completed_at: Set(None),
        parked_at: Set(None),
        lease_expires_at: Set(None),
        cancel_requested_at: Set(None),
        epoch: Set(order.epoch.0),
        attempt: Set(sql_counter(order.attempt)),
        max_attempts: Set(sql_counter(order.max_attempts)),
        kills: Set(sql_counter(order.kills)),
        error: Set(None),
        requeued_as: Set(None),
    }
}
