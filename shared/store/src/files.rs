//! Uploaded files.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{FileId, Name, ProjectId, Timestamp};

use crate::{Page, PageRequest, Result, Store};

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its name as uploaded, cleaned.
    pub name: String,
    /// Its media type, by content.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// The key in [`crate::blobs::Blobs`].
    pub storage_key: String,
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A file whose bytes are stored already.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFile {
    /// The project's name.
    pub project: Name,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes' place.
    pub stored: crate::blobs::Stored,
    /// Who uploads it.
    pub created_by: String,
}

/// Records a file.
pub async fn create(_store: &Store, _new: NewFile, _now: Timestamp) -> Result<File> {
    todo!()
}

/// One file.
pub async fn get(_store: &Store, _id: FileId) -> Result<File> {
    todo!()
}

/// Files, newest first.
pub async fn list(_store: &Store, _page: &PageRequest) -> Result<Page<File>> {
    todo!()
}
