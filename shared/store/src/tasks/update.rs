//! Editing a task.

use sea_orm::ActiveModelTrait as _;
use serde_json::{Map, Value, json};
use shopfloor_domain::{TaskId, Timestamp, event::EventKind, machine::Machine as _};

use super::{
    Task, TaskPatch,
    row::{active, lock},
};
use crate::{
    Result, Store, StoreError, check,
    error::Doing as _,
    orders,
    tx::{Tx, retrying},
};

/// Edits a task. An empty patch changes nothing.
///
/// # Errors
/// `NotFound`; `Conflict` when a final task's priority is to change; `Invalid` for a NUL; `Database`.
pub async fn update(store: &Store, id: TaskId, patch: TaskPatch, now: Timestamp) -> Result<Task> {
    check::maybe_text("title", patch.title.as_deref())?;
    check::maybe_text("description", patch.description.as_deref())?;
    check::maybe_text("repository_url", patch.repository_url.as_ref().and_then(Option::as_deref))?;
    check::maybe_text("branch_name", patch.branch_name.as_ref().and_then(Option::as_deref))?;
    retrying(|| update_once(store, id, &patch, now)).await
}

async fn update_once(store: &Store, id: TaskId, patch: &TaskPatch, now: Timestamp) -> Result<Task> {
    let tx = store.begin("editing a task").await?;
    // The order before the task, as everywhere.
    orders::lock_live(&tx, id).await?;
    let before = lock(&tx, id).await?;
    let mut after = before.clone();
    let changed = apply(&mut after, patch);
    if changed.is_empty() {
        return Ok(before);
    }
    if after.priority != before.priority {
        reprioritise(&tx, &after).await?;
    }
    after.updated_at = now;
    active(&after).update(tx.db()).await.doing("editing a task")?;
    tx.event(EventKind::TaskUpdated, Some(id), None, Value::Object(changed), now);
    tx.commit().await?;
    Ok(after)
}

async fn reprioritise(tx: &Tx, task: &Task) -> Result<()> {
    if task.status.is_final() {
        let (what, state) = (format!("task {}", task.id), task.status.to_string());
        return Err(StoreError::Conflict { what, tried: "given another priority", state });
    }
    orders::reprioritise(tx, task.id, task.priority).await
}

/// Applies the patch and returns the fields that are other ones now.
fn apply(task: &mut Task, patch: &TaskPatch) -> Map<String, Value> {
    let mut changed = Map::new();
    let mut note = |field: &str, value: Value| {
        changed.insert(field.to_owned(), value);
    };
    if let Some(title) = patch.title.as_ref().filter(|title| **title != task.title) {
        task.title.clone_from(title);
        note("title", json!(title));
    }
    if let Some(text) = patch.description.as_ref().filter(|text| **text != task.description) {
        task.description.clone_from(text);
        note("description", json!(text));
    }
    if let Some(kind) = patch.task_type.filter(|kind| *kind != task.task_type) {
        task.task_type = kind;
        note("task_type", json!(kind));
    }
    if let Some(priority) = patch.priority.filter(|priority| *priority != task.priority) {
        task.priority = priority;
        note("priority", json!(priority));
    }
    if let Some(url) = patch.repository_url.as_ref().filter(|url| **url != task.repository_url) {
        task.repository_url.clone_from(url);
        note("repository_url", json!(url));
    }
    if let Some(branch) = patch.branch_name.as_ref().filter(|branch| **branch != task.branch_name) {
        task.branch_name.clone_from(branch);
        note("branch_name", json!(branch));
    }
    changed
}
