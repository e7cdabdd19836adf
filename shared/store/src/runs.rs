//! Pipeline runs: one pass of a task through a pinned pipeline definition. (Requirement D calls this table `pipelines`.)

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, prelude::Uuid,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, RunId, TaskId, Timestamp, task::TaskStatus};

use crate::{
    Result, Store, StoreError,
    entity::{
        pipeline::{ActiveModel, Column, Entity, Model},
        task,
    },
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
    records(store.read(), rows.all(store.read()).await.doing("reading a task's runs")?).await
}

/// One run, read within whatever `db` is.
pub(crate) async fn find<C: ConnectionTrait>(db: &C, id: RunId) -> Result<Run> {
    let row = Entity::find_by_id(id.0).one(db).await.doing("reading a run")?;
    let row = row.ok_or_else(|| StoreError::not_found("run", id))?;
    records(db, vec![row]).await?.pop().ok_or_else(|| StoreError::not_found("run", id))
}

/// Those of these runs that there are.
pub(crate) async fn find_many(tx: &Tx, ids: impl Iterator<Item = RunId>) -> Result<HashMap<RunId, Run>> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.map(|id| id.0))).all(tx.db());
    let runs = records(tx.db(), rows.await.doing("reading runs")?).await?;
    Ok(runs.into_iter().map(|run| (run.id, run)).collect())
}

/// The rows as records. A task has one run that is not over, and that stands where the task stands: its row is written
/// when it begins and when it ends, not in between.
async fn records<C: ConnectionTrait>(db: &C, rows: Vec<Model>) -> Result<Vec<Run>> {
    let mut runs = rows.into_iter().map(Run::try_from).collect::<Result<Vec<_>>>()?;
    let open: Vec<Uuid> = runs.iter().filter(|run| goes_on(run)).map(|run| run.task_id.0).collect();
    if open.is_empty() {
        return Ok(runs);
    }
    let tasks: Vec<(Uuid, String)> = task::Entity::find()
        .select_only()
        .columns([task::Column::Id, task::Column::Status])
        .filter(task::Column::Id.is_in(open))
        .into_tuple()
        .all(db)
        .await
        .doing("reading where runs stand")?;
    let tasks: HashMap<Uuid, String> = tasks.into_iter().collect();
    for run in runs.iter_mut().filter(|run| goes_on(run)) {
        if let Some(status) = tasks.get(&run.task_id.0) {
            run.status = word("tasks.status", status)?;
        }
    }
    Ok(runs)
}

fn goes_on(run: &Run) -> bool {
    matches!(run.status, TaskStatus::Queued | TaskStatus::InProgress)
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
