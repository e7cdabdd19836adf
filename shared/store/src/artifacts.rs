//! Artifacts: what steps produced. Written by [`crate::steps::finish`].

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shopfloor_domain::{ArtifactId, Epoch, OrderId, StepId, TaskId, Timestamp, event::EventKind};

use crate::{
    Result, Store, StoreError,
    entity::artifact::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    rows::{size, sql_size},
    steps::Step,
    tx::Tx,
};

/// Rows per statement.
const BATCH: usize = 500;

/// An artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// The task.
    pub task_id: TaskId,
    /// The order.
    pub order_id: OrderId,
    /// The step.
    pub step_id: StepId,
    /// The epoch that wrote it.
    pub epoch: Epoch,
    /// Its relative path, `/`-separated.
    pub name: String,
    /// Its media type, by content.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// The key in [`crate::blobs::Blobs`].
    pub storage_key: String,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// An artifact whose bytes are stored already.
#[derive(Debug, Clone, PartialEq)]
pub struct NewArtifact {
    /// Its relative path.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes' place.
    pub stored: crate::blobs::Stored,
}

/// One artifact.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: ArtifactId) -> Result<Artifact> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading an artifact")?;
    row.ok_or_else(|| StoreError::not_found("artifact", id))?.try_into()
}

/// The artifacts of a task, oldest first.
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<Artifact>> {
    let rows = Entity::find().filter(Column::TaskId.eq(task.0)).order_by_asc(Column::Id);
    let rows = rows.all(store.read()).await.doing("reading a task's artifacts")?;
    rows.into_iter().map(Artifact::try_from).collect()
}

/// Refuses artifacts of the same name, and names with a NUL.
pub(crate) fn check(artifacts: &[NewArtifact]) -> Result<()> {
    let mut names = BTreeSet::new();
    for artifact in artifacts {
        crate::check::text("artifact name", &artifact.name)?;
        crate::check::text("artifact content type", &artifact.content_type)?;
        if !names.insert(artifact.name.as_str()) {
            let problem = format!("two artifacts of one step are named `{}`", artifact.name);
            return Err(StoreError::Invalid { field: "artifacts", problem });
        }
    }
    Ok(())
}

/// Records what a step produced, with an event each.
pub(crate) async fn insert(tx: &Tx, step: &Step, new: &[NewArtifact], now: Timestamp) -> Result<()> {
    let artifacts: Vec<Artifact> = new.iter().map(|new| record(step, new, now)).collect();
    for batch in artifacts.chunks(BATCH) {
        let insert = Entity::insert_many(batch.iter().map(active)).exec_without_returning(tx.db());
        insert.await.doing("recording artifacts")?;
    }
    for artifact in &artifacts {
        let payload = json!({
            "artifact_id": artifact.id,
            "step_id": artifact.step_id,
            "name": artifact.name,
            "content_type": artifact.content_type,
            "size": artifact.size,
        });
        tx.event(EventKind::ArtifactStored, Some(step.task_id), Some(step.order_id), payload, now);
    }
    Ok(())
}

fn record(step: &Step, new: &NewArtifact, now: Timestamp) -> Artifact {
    Artifact {
        id: ArtifactId::new(),
        task_id: step.task_id,
        order_id: step.order_id,
        step_id: step.id,
        epoch: step.epoch,
        name: new.name.clone(),
        content_type: new.content_type.clone(),
        size: new.stored.size,
        sha256: new.stored.sha256.clone(),
        storage_key: new.stored.key.clone(),
        created_at: now,
    }
}

fn active(artifact: &Artifact) -> ActiveModel {
    ActiveModel {
        id: Set(artifact.id.0),
        task_id: Set(artifact.task_id.0),
        order_id: Set(artifact.order_id.0),
        step_id: Set(artifact.step_id.0),
        epoch: Set(artifact.epoch.0),
        name: Set(artifact.name.clone()),
        content_type: Set(artifact.content_type.clone()),
        size: Set(sql_size(artifact.size)),
        sha256: Set(artifact.sha256.clone()),
        storage_key: Set(artifact.storage_key.clone()),
        created_at: Set(artifact.created_at.0),
    }
}

impl TryFrom<Model> for Artifact {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            task_id: row.task_id.into(),
            order_id: row.order_id.into(),
            step_id: row.step_id.into(),
            epoch: Epoch(row.epoch),
            name: row.name,
            content_type: row.content_type,
            size: size("artifacts.size", row.size)?,
            sha256: row.sha256,
            storage_key: row.storage_key,
            created_at: Timestamp(row.created_at),
        })
    }
}
