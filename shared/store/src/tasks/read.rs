//! Looking at tasks.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
    prelude::Expr,
    sea_query::{ExprTrait as _, Func},
};
use shopfloor_domain::TaskId;
use uuid::Uuid;

use super::{
    Task, TaskFilter,
    row::{one, records},
};
use crate::{
    Backend, Page, PageRequest, Result, Store, StoreError, check,
    entity::{
        project,
        task::{Column, Entity},
        work_order,
    },
    error::Doing as _,
    orders::Order,
};

/// One task.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: TaskId) -> Result<Task> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading a task")?;
    one(store.read(), row.ok_or_else(|| StoreError::not_found("task", id))?).await
}

/// Tasks, newest first.
///
/// # Errors
/// `Invalid` for a foreign cursor or a NUL in the text looked for, `Database`.
pub async fn list(store: &Store, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
    check::maybe_text("text", filter.text.as_deref())?;
    let mut rows = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if !filter.status.is_empty() {
        rows = rows.filter(Column::Status.is_in(filter.status.iter().map(|status| status.as_str())));
    }
    if let Some(task_type) = filter.task_type {
        rows = rows.filter(Column::TaskType.eq(task_type.as_str()));
    }
    if let Some(priority) = filter.priority {
        rows = rows.filter(Column::Priority.eq(priority.as_str()));
    }
    if let Some(name) = &filter.project {
        let project = project::Entity::find().select_only().column(project::Column::Id);
        let project = project.filter(project::Column::Name.eq(name.as_str())).into_query();
        rows = rows.filter(Column::ProjectId.in_subquery(project));
    }
    if let Some(text) = &filter.text {
        rows = rows.filter(contains(store.backend(), text));
    }
    if let Some(after) = page.key::<Uuid>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing tasks")?;
    let tasks = records(store.read(), rows).await?;
    Ok(page.page(tasks, |task| task.id))
}

/// Whether the title contains a text, in any case.
fn contains(backend: Backend, text: &str) -> Expr {
    let place = match backend {
        Backend::Postgres => Func::cust("strpos"),
        Backend::Sqlite => Func::cust("instr"),
    };
    let place = place.arg(Func::lower(Expr::col(Column::Title))).arg(Func::lower(Expr::val(text)));
    Expr::expr(place).gt(0)
}

/// The newest order of a task.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn newest_order(store: &Store, id: TaskId) -> Result<Order> {
    use work_order::{Column, Entity};
    let row = Entity::find().filter(Column::TaskId.eq(id.0)).order_by_desc(Column::Id).one(store.read());
    let row = row.await.doing("reading a task's newest order")?;
    row.ok_or_else(|| StoreError::not_found("task", id))?.try_into()
}
