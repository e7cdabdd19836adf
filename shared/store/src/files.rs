//! Uploaded files.

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, prelude::Uuid,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{FileId, Name, ProjectId, Timestamp};

use crate::{
    Page, PageRequest, Result, Store, StoreError, check,
    entity::file::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    projects,
    rows::{size, sql_size},
    tx::retrying,
};

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

/// Records a file. The same person uploading the same bytes under the same name gets the file that is there, so that a
/// submission repeated with its idempotency key names the same file.
///
/// # Errors
/// `NotFound` for an unknown project, `Invalid` for a NUL, `Database`.
pub async fn create(store: &Store, new: NewFile, now: Timestamp) -> Result<File> {
    check::text("name", &new.name)?;
    check::text("content_type", &new.content_type)?;
    check::text("created_by", &new.created_by)?;
    let project = projects::get(store, &new.project).await?;
    let file = File {
        id: FileId::new(),
        project_id: project.id,
        name: new.name,
        content_type: new.content_type,
        size: new.stored.size,
        sha256: new.stored.sha256,
        storage_key: new.stored.key,
        created_by: new.created_by,
        created_at: now,
    };
    retrying(|| insert(store, &file)).await
}

async fn insert(store: &Store, file: &File) -> Result<File> {
    const DOING: &str = "recording a file";
    let tx = store.begin(DOING).await?;
    let same = Entity::find()
        .filter(Column::ProjectId.eq(file.project_id.0))
        .filter(Column::Sha256.eq(&file.sha256))
        .filter(Column::Name.eq(&file.name))
        .filter(Column::ContentType.eq(&file.content_type))
        .filter(Column::CreatedBy.eq(&file.created_by))
        .order_by_asc(Column::Id);
    if let Some(known) = same.one(tx.db()).await.doing(DOING)? {
        return known.try_into();
    }
    active(file).insert(tx.db()).await.doing(DOING)?;
    tx.commit().await?;
    Ok(file.clone())
}

/// One file.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: FileId) -> Result<File> {
    let row = Entity::find_by_id(id.0).one(store.read()).await.doing("reading a file's row")?;
    row.ok_or_else(|| StoreError::not_found("file", id))?.try_into()
}

/// Files, newest first.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn list(store: &Store, page: &PageRequest) -> Result<Page<File>> {
    let mut rows = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.key::<Uuid>()? {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing files")?;
    let files = rows.into_iter().map(File::try_from).collect::<Result<Vec<_>>>()?;
    Ok(page.page(files, |file| file.id))
}

fn active(file: &File) -> ActiveModel {
    ActiveModel {
        id: Set(file.id.0),
        project_id: Set(file.project_id.0),
        name: Set(file.name.clone()),
        content_type: Set(file.content_type.clone()),
        size: Set(sql_size(file.size)),
        sha256: Set(file.sha256.clone()),
        storage_key: Set(file.storage_key.clone()),
        created_by: Set(file.created_by.clone()),
        created_at: Set(file.created_at.0),
    }
}

impl TryFrom<Model> for File {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            name: row.name,
            content_type: row.content_type,
            size: size("files.size", row.size)?,
            sha256: row.sha256,
            storage_key: row.storage_key,
            created_by: row.created_by,
            created_at: Timestamp(row.created_at),
        })
    }
}
