//! Looking at sessions.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, prelude::Uuid};
use shopfloor_domain::{SessionRowId, session::SessionStatus};

use super::{Session, SessionFilter};
use crate::{
    Page, PageRequest, Result, Store, StoreError,
    entity::session::{Column, Entity},
    error::Doing as _,
};

/// One session.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: SessionRowId) -> Result<Session> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading a session")?;
    row.ok_or_else(|| StoreError::not_found("session", id))?.try_into()
}

/// Sessions, newest first.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn list(store: &Store, filter: &SessionFilter, page: &PageRequest) -> Result<Page<Session>> {
    let mut rows = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if !filter.status.is_empty() {
        rows = rows.filter(Column::Status.is_in(filter.status.iter().copied().map(SessionStatus::as_str)));
    }
    if let Some(worker) = filter.worker_id {
        rows = rows.filter(Column::WorkerId.eq(worker.0));
    }
    if let Some(task) = filter.task_id {
        rows = rows.filter(Column::TaskId.eq(task.0));
    }
    if let Some(after) = page.key::<Uuid>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing sessions")?;
    let sessions = rows.into_iter().map(Session::try_from).collect::<Result<Vec<_>>>()?;
    Ok(page.page(sessions, |session| session.id))
}
