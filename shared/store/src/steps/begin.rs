//! Beginning a step, taking over an unfinished one, going around one.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use shopfloor_domain::{
    Fence, RunId, StepId, Timestamp,
    machine::Machine as _,
    step::{StepEvent, StepStatus},
};

use super::{
    BeginStep, Step,
    row::{DOING, insert, moved, save},
};
use crate::{
    Result, Store, StoreError,
    entity::step::{Column, Entity},
    error::Doing as _,
    orders::{self, Order},
    rows::{clean, clean_json, sql_counter},
    tx::{Tx, retrying},
};

/// Begins the step at this place of the run, or takes over the unfinished one that is already there (same name and
/// round): its attempt counter goes up and it works on the input given now. A step that is `waiting` is returned as it
/// is: see [`super::ask`].
///
/// # Errors
/// `Fenced`; `Conflict` when a finished step or another one stands at this place, or the run is another order's.
pub async fn begin(store: &Store, fence: Fence, run: RunId, begin: BeginStep, now: Timestamp) -> Result<Step> {
    retrying(|| begin_once(store, fence, run, &begin, now)).await
}

async fn begin_once(store: &Store, fence: Fence, run: RunId, begin: &BeginStep, now: Timestamp) -> Result<Step> {
    let tx = store.begin("beginning a step").await?;
    let order = lock_run(&tx, fence, run, "begin_step", now).await?;
    let step = match at(&tx, run, begin).await? {
        Some(there) if there.status == StepStatus::Waiting => there,
        Some(there) => {
            let mut step = moved(&there, StepEvent::Started, &order, now)?;
            step.attempt = there.attempt.saturating_add(1);
            step.input = clean_json(begin.input.clone());
            save(&tx, &there, &step, now).await?;
            step
        }
        None => {
            let mut step = moved(&pending(&order, begin), StepEvent::Started, &order, now)?;
            step.attempt = 1;
            insert(&tx, &step, now).await?;
            step
        }
    };
    tx.commit().await?;
    Ok(step)
}

/// Records that the run goes around this place. Doing so twice changes nothing.
///
/// # Errors
/// `Fenced`; `Conflict` when a step that was started, or another one, stands at this place.
pub async fn skip(store: &Store, fence: Fence, run: RunId, begin: BeginStep, now: Timestamp) -> Result<Step> {
    retrying(|| skip_once(store, fence, run, &begin, now)).await
}

async fn skip_once(store: &Store, fence: Fence, run: RunId, begin: &BeginStep, now: Timestamp) -> Result<Step> {
    let tx = store.begin("skipping a step").await?;
    let order = lock_run(&tx, fence, run, "skip_step", now).await?;
    let step = match at(&tx, run, begin).await? {
        Some(there) if there.status == StepStatus::Skipped => there,
        Some(there) => {
            let step = moved(&there, StepEvent::Skipped, &order, now)?;
            save(&tx, &there, &step, now).await?;
            step
        }
        None => {
            let step = moved(&pending(&order, begin), StepEvent::Skipped, &order, now)?;
            insert(&tx, &step, now).await?;
            step
        }
    };
    tx.commit().await?;
    Ok(step)
}

/// Locks the claimed order, which must drive this run.
async fn lock_run(tx: &Tx, fence: Fence, run: RunId, op: &'static str, now: Timestamp) -> Result<Order> {
    let order = orders::lock_claimed(tx, fence, op, now).await?;
    if order.run_id == run {
        return Ok(order);
    }
    let state = format!("not the run of order {}", order.id);
    Err(StoreError::Conflict { what: format!("run {run}"), tried: "worked on", state })
}

/// The step at this place, if any. `Conflict` when it is another one.
async fn at(tx: &Tx, run: RunId, begin: &BeginStep) -> Result<Option<Step>> {
    let place =
        Entity::find().filter(Column::RunId.eq(run.0)).filter(Column::OrderIndex.eq(sql_counter(begin.order_index)));
    let Some(row) = place.one(tx.db()).await.doing(DOING)? else { return Ok(None) };
    let there = Step::try_from(row)?;
    if (there.name.as_str(), there.round, there.kind) == (begin.name.as_str(), begin.round, begin.kind) {
        return Ok(Some(there));
    }
    let what = format!("place {} of run {run}", begin.order_index);
    let state = format!("taken by step `{}` in round {}", there.name, there.round);
    Err(StoreError::Conflict { what, tried: "begun", state })
}

fn pending(order: &Order, begin: &BeginStep) -> Step {
    Step {
        id: StepId::new(),
        run_id: order.run_id,
        task_id: order.task_id,
        order_id: order.id,
        order_index: begin.order_index,
        name: clean(&begin.name),
        kind: begin.kind,
        agent_name: begin.agent_name.as_deref().map(clean),
        round: begin.round,
        status: StepStatus::INITIAL,
        epoch: order.epoch,
        attempt: 0,
        input: clean_json(begin.input.clone()),
        output: None,
        error: None,
        started_at: None,
        finished_at: None,
    }
}
