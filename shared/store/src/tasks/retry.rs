//! Another run for a task that has failed or was cancelled.

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::json;
use shopfloor_domain::{RunId, TaskId, Timestamp, machine::Machine as _, task::TaskEvent};

use super::{
    Submitted, Task,
    row::{active, announce, lock},
};
use crate::{
    Result, Store, StoreError, audit,
    entity::work_order,
    error::Doing as _,
    orders::{self, NewOrder, Order, Place},
    runs::{self, Run},
    tx::{Tx, retrying},
};

const DOING: &str = "retrying a task";

/// Gives a failed or cancelled task a new order and a new run from the beginning, of the definition that its last run was
/// pinned to. The order it had is marked as taken up by the new one.
///
/// # Errors
/// `NotFound`; `Conflict` when it is not failed or cancelled; `Database`.
pub async fn retry(store: &Store, id: TaskId, by: &str, now: Timestamp) -> Result<Submitted> {
    retrying(|| retry_once(store, id, by, now)).await
}

async fn retry_once(store: &Store, id: TaskId, by: &str, now: Timestamp) -> Result<Submitted> {
    let tx = store.begin(DOING).await?;
    let last = lock_newest_order(&tx, id).await?;
    let before = lock(&tx, id).await?;
    let task = begun_again(&before, now)?;
    active(&task).update(tx.db()).await.doing(DOING)?;
    announce(&tx, id, before.status, task.status, now);
    let run = again(&tx, &last, &task, now).await?;
    runs::insert(&tx, [&run]).await?;
    let order = orders::insert(&tx, order_like(&last, &task, &run), now).await?;
    orders::mark_requeued(&tx, last.id, order.id).await?;
    let payload = json!({"task_id": id, "order_id": last.id, "requeued_as": order.id});
    audit::write(&tx, Some(run.id), None, "task.retried", by, payload, now).await?;
    tx.commit().await?;
    let place = Some(Place::from(&order));
    Ok(Submitted { task, order_id: order.id, run_id: run.id, created: true, place })
}

async fn lock_newest_order(tx: &Tx, task: TaskId) -> Result<Order> {
    use work_order::{Column, Entity};
    let newest = Entity::find().filter(Column::TaskId.eq(task.0)).order_by_desc(Column::Id).limit(1);
    let row = newest.lock_exclusive().one(tx.db()).await.doing(DOING)?;
    row.ok_or_else(|| StoreError::not_found("task", task))?.try_into()
}

fn begun_again(task: &Task, now: Timestamp) -> Result<Task> {
    let status = task.status.step(TaskEvent::Retried).map_err(|illegal| StoreError::Conflict {
        what: format!("task {}", task.id),
        tried: "retried",
        state: illegal.state.to_string(),
    })?;
    Ok(Task { status, result: None, error: None, updated_at: now, completed_at: None, ..task.clone() })
}

/// A new run of what the last one ran, with the task's input as it is now.
async fn again(tx: &Tx, last: &Order, task: &Task, now: Timestamp) -> Result<Run> {
    let run = runs::find(tx.db(), last.run_id).await?;
    Ok(Run {
        id: RunId::new(),
        title: task.title.clone(),
        input: task.input.clone(),
        branch: task.branch_name.clone(),
        status: task.status,
        created_at: now,
        updated_at: now,
        ..run
    })
}

fn order_like(last: &Order, task: &Task, run: &Run) -> NewOrder {
    NewOrder {
        task_id: task.id,
        run_id: run.id,
        project_id: task.project_id,
        queue: last.queue.clone(),
        priority: task.priority,
        needs: last.needs.clone(),
        run_at: None,
        max_attempts: last.max_attempts,
    }
}
