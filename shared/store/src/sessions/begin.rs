//! New sessions: of claims, and on request.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _};
use shopfloor_domain::{
    SessionRowId, TaskId, Timestamp, WorkerId, execution::ExecutionStatus, machine::Machine as _,
    session::SessionStatus,
};

use super::{Session, row::announce};
use crate::{
    Result, Store, StoreError,
    entity::{
        session::{ActiveModel, Column, Entity},
        task, worker,
    },
    error::Doing as _,
    orders::ClaimedOrder,
    tx::{Tx, retrying},
};
use sea_orm::{ColumnTrait as _, QueryFilter as _};

const DOING: &str = "opening a session";

/// Opens a session for a worker, without an order; claims open their own.
///
/// # Errors
/// `NotFound` for an unknown worker or task, `Conflict` when the name is taken, `Database`.
pub async fn open(
    store: &Store,
    session_id: &str,
    worker: WorkerId,
    task: Option<TaskId>,
    now: Timestamp,
) -> Result<Session> {
    retrying(|| open_once(store, session_id, worker, task, now)).await
}

async fn open_once(
    store: &Store,
    session_id: &str,
    worker: WorkerId,
    task: Option<TaskId>,
    now: Timestamp,
) -> Result<Session> {
    let tx = store.begin(DOING).await?;
    if worker::Entity::find_by_id(worker.0).one(tx.db()).await.doing(DOING)?.is_none() {
        return Err(StoreError::not_found("worker", worker));
    }
    if let Some(task) = task
        && task::Entity::find_by_id(task.0).one(tx.db()).await.doing(DOING)?.is_none()
    {
        return Err(StoreError::not_found("task", task));
    }
    let taken = || StoreError::Conflict {
        what: format!("session `{session_id}`"),
        tried: "opened",
        state: "open already, or was once".to_owned(),
    };
    if Entity::find().filter(Column::SessionId.eq(session_id)).one(tx.db()).await.doing(DOING)?.is_some() {
        return Err(taken());
    }
    let row = ActiveModel {
        task_id: Set(task.map(|task| task.0)),
        ..fresh(SessionRowId::new(), Some(session_id), worker, now)
    };
    let row = row.insert(tx.db()).await.map_err(|source| match source.sql_err() {
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => taken(),
        _ => StoreError::Database { doing: DOING, source },
    })?;
    let session: Session = row.try_into()?;
    announce(&tx, &session, None, now);
    tx.commit().await?;
    Ok(session)
}

/// Opens the session of every order in a claim. The log tells of it with the order's move.
pub(crate) async fn begin_claimed(tx: &Tx, worker: WorkerId, claimed: &[ClaimedOrder], now: Timestamp) -> Result<()> {
    let rows = claimed.iter().map(|claimed| ActiveModel {
        session_id: Set(None),
        task_id: Set(Some(claimed.order.task_id.0)),
        order_id: Set(Some(claimed.order.id.0)),
        epoch: Set(Some(claimed.order.epoch.0)),
        outcome: Set(Some(ExecutionStatus::Running.as_str().to_owned())),
        ..fresh(claimed.session_id, None, worker, now)
    });
    Entity::insert_many(rows).exec_without_returning(tx.db()).await.doing(DOING).map(|_| ())
}

fn fresh(id: SessionRowId, name: Option<&str>, worker: WorkerId, now: Timestamp) -> ActiveModel {
    ActiveModel {
        id: Set(id.0),
        session_id: Set(name.map(str::to_owned)),
        worker_id: Set(worker.0),
        task_id: Set(None),
        order_id: Set(None),
        epoch: Set(None),
        status: Set(SessionStatus::INITIAL.as_str().to_owned()),
        last_activity_at: Set(now.0),
        created_at: Set(now.0),
        terminated_at: Set(None),
        end_reason: Set(None),
        outcome: Set(None),
        output: Set(None),
    }
}
