//! Projects: the unit of concurrency limits.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, ProjectId, Timestamp};

use crate::{
    Result, Store, StoreError,
    entity::project::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    rows::{counter, sql_counter, word},
};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, unique.
    pub name: Name,
    /// How many of its orders may run at once; `None` for no limit.
    pub max_concurrency: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Every project, by name.
///
/// # Errors
/// `Database`.
pub async fn list(store: &Store) -> Result<Vec<Project>> {
    let rows = Entity::find().order_by_asc(Column::Name).all(store.read()).await.doing("listing projects")?;
    rows.into_iter().map(Project::try_from).collect()
}

/// One project by name.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, name: &Name) -> Result<Project> {
    let row =
        Entity::find().filter(Column::Name.eq(name.as_str())).one(store.read()).await.doing("reading a project")?;
    row.ok_or_else(|| StoreError::not_found("project", name))?.try_into()
}

/// The ids of the projects with these names; an unknown one has none. Projects are never deleted nor renamed, so an id
/// that was found once is kept.
pub(crate) async fn ids<'a>(store: &Store, names: impl Iterator<Item = &'a Name>) -> Result<HashMap<Name, ProjectId>> {
    let mut ids = HashMap::new();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    {
        let known = store.project_ids();
        for name in names {
            match known.get(name) {
                Some(id) => _ = ids.insert(name.clone(), *id),
                None => _ = unknown.insert(name.as_str()),
            }
        }
    }
    if !unknown.is_empty() {
        let rows = Entity::find().filter(Column::Name.is_in(unknown)).all(store.read());
        for row in rows.await.doing("looking up projects")? {
            let project = Project::try_from(row)?;
            store.project_ids().insert(project.name.clone(), project.id);
            ids.insert(project.name, project.id);
        }
    }
    Ok(ids)
}

/// Makes a project or changes its limit. Waiting orders may become claimable by that.
///
/// # Errors
/// `Database`.
pub async fn put(store: &Store, name: &Name, max_concurrency: Option<u32>, now: Timestamp) -> Result<Project> {
    let row = ActiveModel {
        id: Set(ProjectId::new().0),
        name: Set(name.to_string()),
        max_concurrency: Set(max_concurrency.map(sql_counter)),
        created_at: Set(now.0),
    };
    let known = OnConflict::column(Column::Name).update_column(Column::MaxConcurrency).to_owned();
    let row = Entity::insert(row).on_conflict(known).exec_with_returning(store.writer());
    let project = row.await.doing("saving a project")?.try_into()?;
    store.announce_orders();
    Ok(project)
}

impl TryFrom<Model> for Project {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            name: word("projects.name", &row.name)?,
            max_concurrency: row.max_concurrency.map(|n| counter("projects.max_concurrency", n)).transpose()?,
            created_at: Timestamp(row.created_at),
        })
    }
}
