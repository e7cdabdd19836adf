//! Rows of `tasks`.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};
use serde_json::json;
use shopfloor_domain::{Name, TaskId, Timestamp, event::EventKind, task::TaskStatus};
use uuid::Uuid;

use super::Task;
use crate::{
    Result, StoreError,
    entity::{
        project,
        task::{ActiveModel, Entity, Model},
    },
    error::Doing as _,
    rows::word,
    tx::Tx,
};

/// Locks a task. Its order, if it has a live one, is locked before.
pub(super) async fn lock(tx: &Tx, id: TaskId) -> Result<Task> {
    let row = Entity::find_by_id(id.0).lock_exclusive().one(tx.db()).await.doing("locking a task")?;
    let row = row.ok_or_else(|| StoreError::not_found("task", id))?;
    one(tx.db(), row).await
}

/// One row as a record.
pub(super) async fn one<C: ConnectionTrait>(db: &C, row: Model) -> Result<Task> {
    let id = row.id;
    let read = records(db, vec![row]).await?;
    read.into_iter().next().ok_or_else(|| StoreError::not_found("task", id))
}

/// The rows as records, with their projects' names.
pub(super) async fn records<C: ConnectionTrait>(db: &C, rows: Vec<Model>) -> Result<Vec<Task>> {
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.project_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let projects = project::Entity::find().filter(project::Column::Id.is_in(ids)).all(db);
    let projects = projects.await.doing("reading the projects of tasks")?;
    rows.into_iter()
        .map(|row| {
            let project = projects.iter().find(|project| project.id == row.project_id);
            let project = project.ok_or_else(|| StoreError::not_found("project", row.project_id))?;
            record(row, word("projects.name", &project.name)?)
        })
        .collect()
}

fn record(row: Model, project: Name) -> Result<Task> {
    Ok(Task {
        id: row.id.into(),
        project_id: row.project_id.into(),
        project,
        title: row.title,
        description: row.description,
        task_type: word("tasks.task_type", &row.task_type)?,
        status: word("tasks.status", &row.status)?,
        priority: word("tasks.priority", &row.priority)?,
        repository_url: row.repository_url,
        branch_name: row.branch_name,
        pipeline: word("tasks.pipeline", &row.pipeline)?,
        input: row.input,
        result: row.result,
        error: row.error,
        created_by: row.created_by,
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
        completed_at: row.completed_at.map(Timestamp),
    })
}

pub(super) fn active(task: &Task) -> ActiveModel {
    ActiveModel {
        id: Set(task.id.0),
        project_id: Set(task.project_id.0),
        title: Set(task.title.clone()),
        description: Set(task.description.clone()),
        task_type: Set(task.task_type.to_string()),
        status: Set(task.status.to_string()),
        priority: Set(task.priority.to_string()),
        repository_url: Set(task.repository_url.clone()),
        branch_name: Set(task.branch_name.clone()),
        pipeline: Set(task.pipeline.to_string()),
        input: Set(task.input.clone()),
        result: Set(task.result.clone()),
        error: Set(task.error.clone()),
        created_by: Set(task.created_by.clone()),
        created_at: Set(task.created_at.0),
        updated_at: Set(task.updated_at.0),
        completed_at: Set(task.completed_at.map(|at| at.0)),
    }
}

/// The event of a task's move.
pub(super) fn announce(tx: &Tx, task: TaskId, from: TaskStatus, to: TaskStatus, now: Timestamp) {
    tx.event(EventKind::TaskStatus, Some(task), None, json!({"from": from, "to": to}), now);
}
