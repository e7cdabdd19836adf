//! Rows of `steps`, and what every move of a step has in common.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _};
use serde_json::json;
use shopfloor_domain::{
    StepId, Timestamp,
    event::EventKind,
    machine::Machine as _,
    step::{StepEvent, StepStatus},
};

use super::{Handoff, Step};
use crate::{
    Result, StoreError,
    entity::{
        handoff,
        step::{ActiveModel, Entity, Model},
    },
    error::Doing as _,
    orders::Order,
    rows::{counter, sql_counter, word},
    tx::Tx,
};

pub(super) const DOING: &str = "recording a step";

/// A step of the order's run. The order is locked: all that changes a step locks its order first.
pub(super) async fn of_order(tx: &Tx, order: &Order, id: StepId) -> Result<Step> {
    let row = Entity::find_by_id(id.0).one(tx.db()).await.doing(DOING)?;
    let row = row.filter(|row| row.run_id == order.run_id.0);
    row.ok_or_else(|| StoreError::not_found("step", id))?.try_into()
}

/// The same step after `event`, with `order` as the one that worked on it last.
pub(super) fn moved(step: &Step, event: StepEvent, order: &Order, now: Timestamp) -> Result<Step> {
    let status = next(step, event)?;
    let mut after = step.clone();
    after.status = status;
    after.order_id = order.id;
    after.epoch = order.epoch;
    if status == StepStatus::Running {
        after.started_at = step.started_at.or(Some(now));
    }
    after.finished_at = status.is_final().then_some(now);
    Ok(after)
}

/// The status after `event`; `Conflict` names the step when the move is not legal.
pub(super) fn next(step: &Step, event: StepEvent) -> Result<StepStatus> {
    step.status.step(event).map_err(|illegal| StoreError::Conflict {
        what: format!("step `{}` ({})", step.name, step.id),
        tried: event.as_str(),
        state: illegal.state.to_string(),
    })
}

/// Writes a new step and its event.
pub(super) async fn insert(tx: &Tx, step: &Step, now: Timestamp) -> Result<()> {
    active(step).insert(tx.db()).await.doing(DOING)?;
    announce(tx, StepStatus::INITIAL, step, now);
    Ok(())
}

/// Writes a step over what it was, and its event when its status is another one.
pub(super) async fn save(tx: &Tx, before: &Step, after: &Step, now: Timestamp) -> Result<()> {
    active(after).update(tx.db()).await.doing(DOING)?;
    if before.status != after.status {
        announce(tx, before.status, after, now);
    }
    Ok(())
}

fn announce(tx: &Tx, from: StepStatus, step: &Step, now: Timestamp) {
    let payload = json!({
        "step_id": step.id,
        "run_id": step.run_id,
        "order_index": step.order_index,
        "name": step.name,
        "kind": step.kind,
        "round": step.round,
        "epoch": step.epoch,
        "attempt": step.attempt,
        "from": from,
        "to": step.status,
        "error": step.error,
    });
    tx.event(EventKind::StepStatus, Some(step.task_id), Some(step.order_id), payload, now);
}

fn active(step: &Step) -> ActiveModel {
    ActiveModel {
        id: Set(step.id.0),
        run_id: Set(step.run_id.0),
        task_id: Set(step.task_id.0),
        order_id: Set(step.order_id.0),
        order_index: Set(sql_counter(step.order_index)),
        name: Set(step.name.clone()),
        kind: Set(step.kind.to_string()),
        agent_name: Set(step.agent_name.clone()),
        round: Set(sql_counter(step.round)),
        status: Set(step.status.to_string()),
        epoch: Set(step.epoch.0),
        attempt: Set(sql_counter(step.attempt)),
        input: Set(step.input.clone()),
        output: Set(step.output.clone()),
        error: Set(step.error.clone()),
        started_at: Set(step.started_at.map(|at| at.0)),
        finished_at: Set(step.finished_at.map(|at| at.0)),
    }
}

impl TryFrom<Model> for Step {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            run_id: row.run_id.into(),
            task_id: row.task_id.into(),
            order_id: row.order_id.into(),
            order_index: counter("steps.order_index", row.order_index)?,
            name: row.name,
            kind: word("steps.kind", &row.kind)?,
            agent_name: row.agent_name,
            round: counter("steps.round", row.round)?,
            status: word("steps.status", &row.status)?,
            epoch: shopfloor_domain::Epoch(row.epoch),
            attempt: counter("steps.attempt", row.attempt)?,
            input: row.input,
            output: row.output,
            error: row.error,
            started_at: row.started_at.map(Timestamp),
            finished_at: row.finished_at.map(Timestamp),
        })
    }
}

impl From<handoff::Model> for Handoff {
    fn from(row: handoff::Model) -> Self {
        Self {
            id: row.id.into(),
            step_id: row.step_id.into(),
            content_md: row.content_md,
            metadata: row.metadata,
            created_at: Timestamp(row.created_at),
        }
    }
}
