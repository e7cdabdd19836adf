//! Workers: who is there, what they can do, when they were last heard of.

use std::{collections::HashMap, time::Duration};

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Capabilities, Name, Timestamp, WorkerId, event::EventKind, order::OrderStatus, worker::WorkerStatus,
};

use crate::{
    Page, PageRequest, Result, Store, StoreError,
    entity::{
        work_order,
        worker::{ActiveModel, Column, Entity, Model},
    },
    error::Doing as _,
    rows::{counter, sql_counter, word},
    tx::{Tx, retrying},
};

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its id: one per process incarnation.
    pub id: WorkerId,
    /// Its name, for people; not unique.
    pub name: String,
    /// Where it stands.
    pub status: WorkerStatus,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The queues it serves; empty for all.
    pub queues: Vec<Name>,
    /// How many orders it works on at once.
    pub slots: u32,
    /// How many it holds now.
    pub held: u32,
    /// The program's version.
    pub version: String,
    /// When it was last heard of.
    pub last_heartbeat_at: Timestamp,
    /// When it registered.
    pub created_at: Timestamp,
    /// When its row last changed.
    pub updated_at: Timestamp,
    /// When somebody removed it (it is told to drain at its next heartbeat).
    pub removed_at: Option<Timestamp>,
}

/// A worker to register.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorker {
    /// Its id, made by the worker itself when it started.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The queues it serves.
    pub queues: Vec<Name>,
    /// How many orders it works on at once.
    pub slots: u32,
    /// The program's version.
    pub version: String,
}

/// Registers a worker, or refreshes it when the same id registers again.
///
/// # Errors
/// `Database`.
pub async fn register(store: &Store, new: NewWorker, now: Timestamp) -> Result<Worker> {
    retrying(|| register_once(store, &new, now)).await
}

async fn register_once(store: &Store, new: &NewWorker, now: Timestamp) -> Result<Worker> {
    const DOING: &str = "registering a worker";
    let tx = store.begin(DOING).await?;
    let known = Entity::find_by_id(new.id.0).one(tx.db()).await.doing(DOING)?;
    let queues: Vec<&str> = new.queues.iter().map(Name::as_str).collect();
    let mut row = ActiveModel {
        id: Set(new.id.0),
        name: Set(new.name.clone()),
        status: Set(WorkerStatus::Idle.to_string()),
        capabilities: Set(new.capabilities.to_key()),
        queues: Set(queues.join(",")),
        slots: Set(sql_counter(new.slots)),
        version: Set(new.version.clone()),
        last_heartbeat_at: Set(now.0),
        updated_at: Set(now.0),
        ..Default::default()
    };
    let from = known.as_ref().map(|row| row.status.clone());
    let row = if known.is_some() {
        row.update(tx.db()).await.doing(DOING)?
    } else {
        row.created_at = Set(now.0);
        row.insert(tx.db()).await.doing(DOING)?
    };
    announce(&tx, &row, from.as_deref(), now);
    let worker = read(tx.db(), row).await?;
    tx.commit().await?;
    Ok(worker)
}

/// Notes that a worker lives. `NotFound` when it never registered; a removed worker learns it from `removed_at`.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn heartbeat(store: &Store, id: WorkerId, status: WorkerStatus, now: Timestamp) -> Result<Worker> {
    retrying(|| {
        change(store, id, "noting a heartbeat", now, move |row| {
            row.status = Set(status.to_string());
            row.last_heartbeat_at = Set(now.0);
        })
    })
    .await
}

/// One worker.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: WorkerId) -> Result<Worker> {
    let row = find(store.read(), id, "reading a worker").await?;
    read(store.read(), row).await
}

/// Workers, newest first; those that are offline only when `include_offline`.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn list(store: &Store, include_offline: bool, page: &PageRequest) -> Result<Page<Worker>> {
    let mut rows = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if !include_offline {
        rows = rows.filter(Column::Status.ne(WorkerStatus::Offline.as_str()));
    }
    if let Some(after) = page.key::<uuid::Uuid>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing workers")?;
    let page = page.page(rows, |row| row.id);
    let held = held(store.read(), page.items.iter().map(|row| row.id)).await?;
    let items: Result<_> = page.items.into_iter().map(|row| record(row, &held)).collect();
    Ok(Page { items: items?, next: page.next })
}

/// Removes a worker: it is told to drain at its next heartbeat and gets no more orders.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn remove(store: &Store, id: WorkerId, now: Timestamp) -> Result<Worker> {
    retrying(|| change(store, id, "removing a worker", now, move |row| row.removed_at = Set(Some(now.0)))).await
}

/// Says goodbye: the worker is offline.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn leave(store: &Store, id: WorkerId, now: Timestamp) -> Result<()> {
    let offline = move |row: &mut ActiveModel| row.status = Set(WorkerStatus::Offline.to_string());
    retrying(|| change(store, id, "saying goodbye for a worker", now, offline)).await.map(|_| ())
}

/// Marks workers as offline that have been silent for longer than `silence`. Returns them.
///
/// # Errors
/// `Database`.
pub async fn mark_offline(store: &Store, silence: Duration, now: Timestamp) -> Result<Vec<Worker>> {
    retrying(|| mark_offline_once(store, silence, now)).await
}

async fn mark_offline_once(store: &Store, silence: Duration, now: Timestamp) -> Result<Vec<Worker>> {
    const DOING: &str = "marking silent workers as offline";
    let tx = store.begin(DOING).await?;
    let silent = Entity::find()
        .filter(Column::Status.ne(WorkerStatus::Offline.as_str()))
        .filter(Column::LastHeartbeatAt.lt((now - silence).0))
        .order_by_asc(Column::Id)
        .limit(PageRequest::MAX);
    let silent = locked(silent, &tx).all(tx.db()).await.doing(DOING)?;
    let mut gone = Vec::with_capacity(silent.len());
    for row in silent {
        let from = row.status.clone();
        let mut row = row.into_active_model();
        row.status = Set(WorkerStatus::Offline.to_string());
        row.updated_at = Set(now.0);
        let row = row.update(tx.db()).await.doing(DOING)?;
        announce(&tx, &row, Some(&from), now);
        gone.push(read(tx.db(), row).await?);
    }
    tx.commit().await?;
    Ok(gone)
}

/// Changes one row, and says so in the event log when its status is another one afterwards.
async fn change(
    store: &Store,
    id: WorkerId,
    doing: &'static str,
    now: Timestamp,
    edit: impl FnOnce(&mut ActiveModel),
) -> Result<Worker> {
    let tx = store.begin(doing).await?;
    let found = locked(Entity::find_by_id(id.0), &tx).one(tx.db()).await.doing(doing)?;
    let found = found.ok_or_else(|| StoreError::not_found("worker", id))?;
    let from = found.status.clone();
    let mut row = found.into_active_model();
    edit(&mut row);
    row.updated_at = Set(now.0);
    let row = row.update(tx.db()).await.doing(doing)?;
    announce(&tx, &row, Some(&from), now);
    let worker = read(tx.db(), row).await?;
    tx.commit().await?;
    Ok(worker)
}

fn locked(rows: sea_orm::Select<Entity>, tx: &Tx) -> sea_orm::Select<Entity> {
    match tx.backend() {
        crate::Backend::Postgres => rows.lock_exclusive(),
        crate::Backend::Sqlite => rows,
    }
}

fn announce(tx: &Tx, row: &Model, from: Option<&str>, now: Timestamp) {
    if from != Some(row.status.as_str()) {
        let payload = serde_json::json!({"worker_id": row.id, "name": row.name, "from": from, "to": row.status});
        tx.event(EventKind::WorkerStatus, None, None, payload, now);
    }
}

async fn find<C: ConnectionTrait>(db: &C, id: WorkerId, doing: &'static str) -> Result<Model> {
    let row = Entity::find_by_id(id.0).one(db).await.doing(doing)?;
    row.ok_or_else(|| StoreError::not_found("worker", id))
}

async fn read<C: ConnectionTrait>(db: &C, row: Model) -> Result<Worker> {
    let held = held(db, [row.id]).await?;
    record(row, &held)
}

/// How many orders each of these workers holds.
async fn held<C: ConnectionTrait>(
    db: &C,
    workers: impl IntoIterator<Item = uuid::Uuid> + Send,
) -> Result<HashMap<uuid::Uuid, i64>> {
    use work_order::{Column, Entity};
    let rows: Vec<(uuid::Uuid, i64)> = Entity::find()
        .select_only()
        .column(Column::WorkerId)
        .column_as(Column::Id.count(), "held")
        .filter(Column::Status.eq(OrderStatus::Claimed.as_str()))
        .filter(Column::WorkerId.is_in(workers))
        .group_by(Column::WorkerId)
        .into_tuple()
        .all(db)
        .await
        .doing("counting what workers hold")?;
    Ok(rows.into_iter().collect())
}

fn record(row: Model, held: &HashMap<uuid::Uuid, i64>) -> Result<Worker> {
    let held = held.get(&row.id).copied().unwrap_or(0);
    let capabilities = Capabilities::from_key(&row.capabilities);
    let queues = row.queues.split(',').filter(|name| !name.is_empty());
    Ok(Worker {
        id: row.id.into(),
        name: row.name,
        status: word("workers.status", &row.status)?,
        capabilities: capabilities.map_err(|problem| StoreError::corrupt("workers.capabilities", problem))?,
        queues: queues.map(|name| word("workers.queues", name)).collect::<Result<_>>()?,
        slots: counter("workers.slots", row.slots)?,
        held: u32::try_from(held).unwrap_or(u32::MAX),
        version: row.version,
        last_heartbeat_at: Timestamp(row.last_heartbeat_at),
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
        removed_at: row.removed_at.map(Timestamp),
    })
}
