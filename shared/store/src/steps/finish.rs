//! Ending a step with everything it leaves behind.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};
use shopfloor_domain::{Fence, HandoffId, StepId, Timestamp, step::StepEvent};

use super::{
    Step, StepResult,
    row::{DOING, moved, of_order, save},
};
use crate::{
    Result, Store,
    artifacts::{self, NewArtifact},
    entity::handoff,
    error::Doing as _,
    orders,
    rows::{clean, clean_json},
    tx::{Tx, retrying},
};

/// Ends a running step with its output, its artifacts and its handoff, in one transaction.
///
/// # Errors
/// `Fenced`; `Conflict` when it is not running; `Invalid` when two artifacts have the same name; `NotFound` when it is
/// no step of this order's run.
pub async fn finish(
    store: &Store,
    fence: Fence,
    step: StepId,
    result: StepResult,
    artifacts: Vec<NewArtifact>,
    handoff: Option<(String, serde_json::Value)>,
    now: Timestamp,
) -> Result<Step> {
    artifacts::check(&artifacts)?;
    retrying(|| finish_once(store, fence, step, &result, &artifacts, handoff.as_ref(), now)).await
}

async fn finish_once(
    store: &Store,
    fence: Fence,
    step: StepId,
    result: &StepResult,
    artifacts: &[NewArtifact],
    handoff: Option<&(String, serde_json::Value)>,
    now: Timestamp,
) -> Result<Step> {
    let tx = store.begin("ending a step").await?;
    let order = orders::lock_claimed(&tx, fence, "finish_step", now).await?;
    let before = of_order(&tx, &order, step).await?;
    let mut after = match result {
        StepResult::Completed(output) => {
            let completed = moved(&before, StepEvent::Completed, &order, now)?;
            Step { output: Some(clean_json(output.clone())), ..completed }
        }
        StepResult::Failed { error, output } => {
            let failed = moved(&before, StepEvent::Failed, &order, now)?;
            Step { output: output.clone().map(clean_json), error: Some(clean(error)), ..failed }
        }
    };
    after.started_at = after.started_at.or(Some(now));
    save(&tx, &before, &after, now).await?;
    artifacts::insert(&tx, &after, artifacts, now).await?;
    if let Some((content, metadata)) = handoff {
        hand_off(&tx, &after, content, metadata, now).await?;
    }
    tx.commit().await?;
    Ok(after)
}

async fn hand_off(tx: &Tx, step: &Step, content_md: &str, metadata: &serde_json::Value, now: Timestamp) -> Result<()> {
    let row = handoff::ActiveModel {
        id: Set(HandoffId::new().0),
        step_id: Set(step.id.0),
        content_md: Set(clean(content_md)),
        metadata: Set(clean_json(metadata.clone())),
        created_at: Set(now.0),
    };
    row.insert(tx.db()).await.doing(DOING).map(|_| ())
}
