//! Looking at orders.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::{Expr, Uuid},
};
use shopfloor_domain::{OrderId, TaskId};

use super::Order;
use crate::{
    Page, PageRequest, Result, Store, StoreError,
    entity::work_order::{Column, Entity},
    error::Doing as _,
};

/// One order.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: OrderId) -> Result<Order> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading an order")?;
    row.ok_or_else(|| StoreError::not_found("order", id))?.try_into()
}

/// The orders of a task, oldest first.
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<Order>> {
    let rows = Entity::find().filter(Column::TaskId.eq(task.0)).order_by_asc(Column::Id).all(store.read());
    rows.await.doing("reading a task's orders")?.into_iter().map(Order::try_from).collect()
}

/// Dead letters that have not been re-queued, newest first.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn dead(store: &Store, page: &PageRequest) -> Result<Page<Order>> {
    let dead = Expr::cust("status = 'dead' AND requeued_as IS NULL");
    let mut rows = Entity::find().filter(dead).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.key::<Uuid>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing dead letters")?;
    let orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>>>()?;
    Ok(page.page(orders, |order| order.id))
}
