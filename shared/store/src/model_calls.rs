//! Calls of models and what they cost.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use shopfloor_domain::{Fence, ModelCallId, StepId, TaskId, Timestamp};

use crate::{
    Result, Store, StoreError,
    entity::{
        model_call::{ActiveModel, Column, Entity, Model},
        step,
    },
    error::Doing as _,
    orders,
    rows::{clean, clean_json, size, sql_size},
    tx::retrying,
};

const DOING: &str = "recording a model call";

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// Its id.
    pub id: ModelCallId,
    /// The task.
    pub task_id: TaskId,
    /// The step.
    pub step_id: StepId,
    /// The model's role, e.g. `code`.
    pub role: String,
    /// The endpoint.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// What was sent.
    pub request: serde_json::Value,
    /// What came back.
    pub response: Option<serde_json::Value>,
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Cost in billionths of a dollar.
    pub cost_nanodollars: u64,
    /// How long it took, in ms.
    pub latency_ms: u64,
    /// `ok`, or why it failed.
    pub outcome: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Records a call, guarded by the order's epoch. Recording the same call twice changes nothing.
///
/// # Errors
/// `Fenced`; `NotFound` when its step is none of this order's run; `Database`.
pub async fn record(store: &Store, fence: Fence, call: ModelCall) -> Result<()> {
    retrying(|| record_once(store, fence, &call)).await
}

async fn record_once(store: &Store, fence: Fence, call: &ModelCall) -> Result<()> {
    let tx = store.begin(DOING).await?;
    let order = orders::lock_claimed(&tx, fence, "model_call", call.created_at).await?;
    let step = step::Entity::find_by_id(call.step_id.0).one(tx.db()).await.doing(DOING)?;
    step.filter(|step| step.run_id == order.run_id.0).ok_or_else(|| StoreError::not_found("step", call.step_id))?;
    let mut row = active(call);
    row.task_id = Set(order.task_id.0);
    let nothing = OnConflict::column(Column::Id).do_nothing().to_owned();
    Entity::insert(row).on_conflict(nothing).exec_without_returning(tx.db()).await.doing(DOING)?;
    tx.commit().await
}

/// The calls of a task, oldest first.
///
/// # Errors
/// `Database`.
pub async fn of_task(store: &Store, task: TaskId) -> Result<Vec<ModelCall>> {
    let rows = Entity::find().filter(Column::TaskId.eq(task.0)).order_by_asc(Column::Id);
    let rows = rows.all(store.read()).await.doing("reading a task's model calls")?;
    rows.into_iter().map(ModelCall::try_from).collect()
}

fn active(call: &ModelCall) -> ActiveModel {
    ActiveModel {
        id: Set(call.id.0),
        task_id: Set(call.task_id.0),
        step_id: Set(call.step_id.0),
        role: Set(clean(&call.role)),
        endpoint: Set(clean(&call.endpoint)),
        model: Set(clean(&call.model)),
        request: Set(clean_json(call.request.clone())),
        response: Set(call.response.clone().map(clean_json)),
        input_tokens: Set(sql_size(call.input_tokens)),
        output_tokens: Set(sql_size(call.output_tokens)),
        cost_nanodollars: Set(sql_size(call.cost_nanodollars)),
        latency_ms: Set(sql_size(call.latency_ms)),
        outcome: Set(clean(&call.outcome)),
        created_at: Set(call.created_at.0),
    }
}

impl TryFrom<Model> for ModelCall {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            task_id: row.task_id.into(),
            step_id: row.step_id.into(),
            role: row.role,
            endpoint: row.endpoint,
            model: row.model,
            request: row.request,
            response: row.response,
            input_tokens: size("model_calls.input_tokens", row.input_tokens)?,
            output_tokens: size("model_calls.output_tokens", row.output_tokens)?,
            cost_nanodollars: size("model_calls.cost_nanodollars", row.cost_nanodollars)?,
            latency_ms: size("model_calls.latency_ms", row.latency_ms)?,
            outcome: row.outcome,
            created_at: Timestamp(row.created_at),
        })
    }
}
