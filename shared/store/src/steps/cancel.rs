//! Ending the steps of an order that has ended.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, prelude::Expr};
use shopfloor_domain::{RunId, Timestamp, machine::Machine as _, step::StepEvent};

use super::{
    Step,
    row::{DOING, next, save},
};
use crate::{
    Result,
    entity::step::{Column, Entity},
    error::Doing as _,
    tx::Tx,
};

/// Cancels the steps of a run that have not ended. The order that drives it is locked in this transaction.
pub(crate) async fn cancel_unfinished(tx: &Tx, run: RunId, now: Timestamp) -> Result<()> {
    let unfinished = Expr::cust("status IN ('pending', 'running', 'waiting')");
    let rows = Entity::find().filter(Column::RunId.eq(run.0)).filter(unfinished).order_by_asc(Column::OrderIndex);
    for row in rows.all(tx.db()).await.doing(DOING)? {
        let before = Step::try_from(row)?;
        let status = next(&before, StepEvent::Cancelled)?;
        let after = Step { status, finished_at: status.is_final().then_some(now), ..before.clone() };
        save(tx, &before, &after, now).await?;
    }
    Ok(())
}
