//! Pipeline runs: one pass of a task through a pinned pipeline definition. (Requirement D calls this table `pipelines`.)

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, RunId, TaskId, Timestamp, task::TaskStatus};

use crate::{
    Result, Store, StoreError,
    entity::pipeline::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    rows::word,
    tx::Tx,
};

/// Rows per statement: few enough that their values stay below the number that one statement may hold.
const BATCH: usize = 500;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The task it works for.
    pub task_id: TaskId,
    /// The task's title when it began.
    pub title: String,
    /// The pipeline's name.
    pub template: Name,
    /// The pipeline's version: a hash of its definition.
    pub version: String,
    /// The pipeline's definition, pinned.
    pub definition: serde_json::Value,
    /// What it was given.
    pub input: serde_json::Value,
    /// The branch it works on.
    pub branch: Option<String>,
    /// Where it stands; follows its task.
    pub status: TaskStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One run.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn get(store: &Store, id: RunId) -> Result<Run> {
    find(store.read(), id).await
}

/// The runs of a task, oldest first.
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<Run>> {
    let rows = Entity::find().filter(Column::TaskId.eq(task.0)).order_by_asc(Column::Id);
    let rows = rows.all(store.read()).await.doing("reading a task's runs")?;
    rows.into_iter().map(Run::try_from).collect()
}

/// One run, read within whatever `db` is.
pub(crate) async fn find<C: ConnectionTrait>(db: &C, id: RunId) -> Result<Run> {
    let row = Entity::find_by_id(id.0).one(db).await.doing("reading a run")?;
    row.ok_or_else(|| StoreError::not_found("run", id))?.try_into()
}

/// Those of these runs that there are.
pub(crate) async fn find_many(tx: &Tx, ids: impl Iterator<Item = RunId>) -> Result<HashMap<RunId, Run>> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.map(|id| id.0))).all(tx.db());
    let runs = rows.await.doing("reading runs")?.into_iter().map(Run::try_from);
    runs.map(|run| run.map(|run| (run.id, run))).collect()
}

/// Writes new runs. Their tasks are there already.
pub(crate) async fn insert<'a>(tx: &Tx, runs: impl IntoIterator<Item = &'a Run>) -> Result<()> {
    let rows: Vec<ActiveModel> = runs.into_iter().map(active).collect();
    for batch in rows.chunks(BATCH) {
        let insert = Entity::insert_many(batch.to_vec()).exec_without_returning(tx.db());
        insert.await.doing("recording runs")?;
    }
    Ok(())
}

fn active(run: &Run) -> ActiveModel {
    ActiveModel {
        id: Set(run.id.0),
        task_id: Set(run.task_id.0),
        title: Set(run.title.clone()),
        template: Set(run.template.to_string()),
        version: Set(run.version.clone()),
        definition: Set(run.definition.clone()),
        input: Set(run.input.clone()),
        branch: Set(run.branch.clone()),
        status: Set(run.status.to_string()),
        created_at: Set(run.created_at.0),
        updated_at: Set(run.updated_at.0),
    }
}

impl TryFrom<Model> for Run {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            task_id: row.task_id.into(),
            title: row.title,
            template: word("pipelines.template", &row.template)?,
            version: row.version,
            definition: row.definition,
            input: row.input,
            branch: row.branch,
            status: word("pipelines.status", &row.status)?,
            created_at: Timestamp(row.created_at),
            updated_at: Timestamp(row.updated_at),
        })
    }
}
