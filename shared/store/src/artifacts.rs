//! Artifacts: what steps produced. Written by [`crate::steps::finish`].

use serde::{Deserialize, Serialize};
use shopfloor_domain::{ArtifactId, Epoch, OrderId, StepId, TaskId, Timestamp};

use crate::{Result, Store};

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
pub async fn get(_store: &Store, _id: ArtifactId) -> Result<Artifact> {
    todo!()
}

/// The artifacts of a task, oldest first.
pub async fn of_task(_store: &Store, _task: TaskId) -> Result<Vec<Artifact>> {
    todo!()
}
