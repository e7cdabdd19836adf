//! How many there are.

use std::{fmt::Display, str::FromStr};

use sea_orm::{ColumnTrait, EntityTrait, QuerySelect as _};
use shopfloor_domain::{order::OrderStatus, task::TaskStatus};

use crate::{
    Result, Store,
    entity::{task, work_order},
    error::Doing as _,
    rows::{size, word},
};

/// How many tasks stand where, over everything. Statuses without a task have no row.
///
/// # Errors
/// `Database`.
pub async fn count_by_status(store: &Store) -> Result<Vec<(TaskStatus, u64)>> {
    count::<task::Entity, _>(store, task::Column::Status, "tasks.status").await
}

/// How many orders stand where; for tests and gauges. Statuses without an order have no row.
///
/// # Errors
/// `Database`.
pub async fn count_orders(store: &Store) -> Result<Vec<(OrderStatus, u64)>> {
    count::<work_order::Entity, _>(store, work_order::Column::Status, "work_orders.status").await
}

async fn count<E: EntityTrait, S>(store: &Store, column: E::Column, what: &'static str) -> Result<Vec<(S, u64)>>
where
    S: FromStr,
    S::Err: Display,
{
    let rows: Vec<(String, i64)> = E::find()
        .select_only()
        .column(column)
        .column_as(column.count(), "number")
        .group_by(column)
        .into_tuple()
        .all(store.read())
        .await
        .doing("counting by status")?;
    rows.into_iter().map(|(status, number)| Ok((word(what, &status)?, size(what, number)?))).collect()
}
