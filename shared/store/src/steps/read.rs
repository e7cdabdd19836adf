//! Looking at steps and handoffs.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use shopfloor_domain::{RunId, TaskId};

use super::{Handoff, Step};
use crate::{
    Result, Store,
    entity::{
        handoff,
        step::{Column, Entity},
    },
    error::Doing as _,
};

/// The steps of a run, by place.
///
/// # Errors
/// `Database`.
pub async fn of_run(store: &Store, run: RunId) -> Result<Vec<Step>> {
    let rows = Entity::find().filter(Column::RunId.eq(run.0)).order_by_asc(Column::OrderIndex);
    let rows = rows.all(store.read()).await.doing("reading a run's steps")?;
    rows.into_iter().map(Step::try_from).collect()
}

/// The steps of all runs of a task, by run and place.
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<Step>> {
    let rows = Entity::find().filter(Column::TaskId.eq(task.0));
    let rows = rows.order_by_asc(Column::RunId).order_by_asc(Column::OrderIndex);
    let rows = rows.all(store.read()).await.doing("reading a task's steps")?;
    rows.into_iter().map(Step::try_from).collect()
}

/// The handoffs of a run, oldest first.
///
/// # Errors
/// `Database`.
pub async fn handoffs(store: &Store, run: RunId) -> Result<Vec<Handoff>> {
    let steps = Entity::find().select_only().column(Column::Id).filter(Column::RunId.eq(run.0)).into_query();
    let rows = handoff::Entity::find().filter(handoff::Column::StepId.in_subquery(steps));
    let rows = rows.order_by_asc(handoff::Column::CreatedAt).order_by_asc(handoff::Column::Id);
    let rows = rows.all(store.read()).await.doing("reading a run's handoffs")?;
    Ok(rows.into_iter().map(Handoff::from).collect())
}
