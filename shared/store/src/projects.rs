//! Projects: the unit of limits.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, prelude::Expr,
    sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, ProjectId, Timestamp, pace::Pace};

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
    /// How many of its orders may start per minute; `None` for no limit.
    pub max_starts_per_minute: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a project may do; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// How many of its orders may run at once.
    pub max_concurrency: Option<u32>,
    /// How many of its orders may start per minute, evenly spread ([`shopfloor_domain::pace`]).
    pub max_starts_per_minute: Option<u32>,
}

impl Limits {
    /// A limit on how many orders run at once, and no other.
    #[must_use]
    pub fn concurrency(max_concurrency: Option<u32>) -> Self {
        Self { max_concurrency, ..Self::default() }
    }
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

/// Makes a project or changes its limits. Waiting orders may become claimable by that; a changed rate begins anew.
///
/// # Errors
/// `Database`.
pub async fn put(store: &Store, name: &Name, limits: Limits, now: Timestamp) -> Result<Project> {
    let row = ActiveModel {
        id: Set(ProjectId::new().0),
        name: Set(name.to_string()),
        max_concurrency: Set(limits.max_concurrency.map(sql_counter)),
        max_starts_per_minute: Set(limits.max_starts_per_minute.map(sql_counter)),
        starts_spent_until: Set(None),
        created_at: Set(now.0),
    };
    let spent = "CASE WHEN projects.max_starts_per_minute = excluded.max_starts_per_minute \
                 THEN projects.starts_spent_until END";
    let known = OnConflict::column(Column::Name)
        .update_columns([Column::MaxConcurrency, Column::MaxStartsPerMinute])
        .value(Column::StartsSpentUntil, Expr::cust(spent))
        .to_owned();
    let row = Entity::insert(row).on_conflict(known).exec_with_returning(store.writer());
    let project = row.await.doing("saving a project")?.try_into()?;
    store.announce_orders();
    Ok(project)
}

/// A rate as recorded.
pub(crate) fn pace(per_minute: Option<i32>) -> Result<Option<Pace>> {
    let per_minute = per_minute.map(|n| counter("projects.max_starts_per_minute", n)).transpose()?;
    Ok(per_minute.map(|per_minute| Pace { per_minute }))
}

impl TryFrom<Model> for Project {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            name: word("projects.name", &row.name)?,
            max_concurrency: row.max_concurrency.map(|n| counter("projects.max_concurrency", n)).transpose()?,
            max_starts_per_minute: pace(row.max_starts_per_minute)?.map(|pace| pace.per_minute),
            created_at: Timestamp(row.created_at),
        })
    }
}
