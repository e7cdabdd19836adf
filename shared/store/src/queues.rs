//! Queues: named, pausable.

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shopfloor_domain::{Name, Timestamp, event::EventKind};

use crate::{
    Result, Store, StoreError, audit,
    entity::queue::{Column, Entity, Model},
    error::Doing as _,
    orders,
    rows::word,
    tx::retrying,
};

/// A queue. It exists from the first time its name is used; `default` always does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// Since when it is paused; `None` when it is not.
    pub paused_at: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
}

/// Every queue, by name.
///
/// # Errors
/// `Database`.
pub async fn list(store: &Store) -> Result<Vec<Queue>> {
    let rows = Entity::find().order_by_asc(Column::Name).all(store.read()).await.doing("listing queues")?;
    rows.into_iter().map(Queue::try_from).collect()
}

/// Pauses a queue: nothing is claimed from it any more; what runs goes on. Pausing twice changes nothing.
///
/// # Errors
/// `Database`.
pub async fn pause(store: &Store, name: &Name, by: &str, now: Timestamp) -> Result<Queue> {
    retrying(|| set_paused(store, name, Some(now), by, now)).await
}

/// Resumes a queue. Resuming one that is not paused changes nothing.
///
/// # Errors
/// `Database`.
pub async fn resume(store: &Store, name: &Name, by: &str, now: Timestamp) -> Result<Queue> {
    retrying(|| set_paused(store, name, None, by, now)).await
}

async fn set_paused(store: &Store, name: &Name, at: Option<Timestamp>, by: &str, now: Timestamp) -> Result<Queue> {
    const DOING: &str = "pausing or resuming a queue";
    let tx = store.begin(DOING).await?;
    orders::ensure_queue(&tx, name).await?;
    let row = Entity::find_by_id(name.as_str()).lock_exclusive().one(tx.db()).await.doing(DOING)?;
    let row = row.ok_or_else(|| StoreError::not_found("queue", name))?;
    if row.paused_at.is_some() == at.is_some() {
        tx.commit().await?;
        return row.try_into();
    }
    let mut row = row.into_active_model();
    row.paused_at = Set(at.map(|at| at.0));
    row.paused_by = Set(at.map(|_| by.to_owned()));
    let queue: Queue = row.update(tx.db()).await.doing(DOING)?.try_into()?;
    let (payload, entry) = match at {
        Some(_) => (json!({"queue": name, "to": "paused", "by": by}), "queue.paused"),
        None => (json!({"queue": name, "to": "running", "by": by}), "queue.resumed"),
    };
    tx.event(EventKind::QueueStatus, None, None, payload, now);
    audit::write(&tx, None, None, entry, by, json!({"queue": name}), now).await?;
    if at.is_none() {
        tx.ring_orders();
    }
    tx.commit().await?;
    Ok(queue)
}

impl TryFrom<Model> for Queue {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            name: word("queues.name", &row.name)?,
            paused_at: row.paused_at.map(Timestamp),
            paused_by: row.paused_by,
        })
    }
}
