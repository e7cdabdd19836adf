//! Completing many claims in one transaction: what `conclude` does for one order, statement by statement, for all of them
//! at once. A fleet finishes more orders than a database can commit one by one.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};
use shopfloor_domain::{
    Fence, OrderId, Timestamp, event::EventKind, order::OrderEvent, order::OrderStatus, session::EndReason,
    task::TaskStatus,
};

use super::{
    Order,
    follow::complete_tasks,
    row::{status_payload, step, subject},
};
use crate::{
    Result, Store, StoreError,
    entity::work_order::{Column, Entity},
    error::Doing as _,
    executions, questions,
    rows::{Values, clean_json},
    sessions, steps,
    tx::Tx,
};

const DOING: &str = "completing orders";

/// A claim whose work is done.
#[derive(Debug, Clone)]
pub(super) struct Completion {
    pub(super) fence: Fence,
    pub(super) result: Value,
    pub(super) now: Timestamp,
}

/// An order on its way from claimed to completed.
#[derive(Debug)]
pub(crate) struct Completed {
    /// The order, as it is now.
    pub(crate) order: Order,
    /// What its task came to.
    pub(crate) result: Value,
    /// When.
    pub(crate) now: Timestamp,
}

/// Completes these claims; the outcomes come in the same order. `Fenced` for each whose claim is no longer valid: nothing
/// is written about that one then.
pub(super) async fn complete_many(store: &Store, completions: &[Completion]) -> Result<Vec<Result<Order>>> {
    let tx = store.begin(DOING).await?;
    let mut held = lock_held(&tx, completions).await?;
    let mut outcomes = Vec::with_capacity(completions.len());
    let mut completed = Vec::with_capacity(completions.len());
    for Completion { fence, result, now } in completions {
        // A ghost of the same order may be among them, so that only its holder takes it out.
        let holds = held.get(&fence.order_id).is_some_and(|order| order.epoch == fence.epoch);
        let order = if holds { held.remove(&fence.order_id) } else { None };
        outcomes.push(match order {
            Some(order) => {
                let status = step(order.id, order.status, OrderEvent::Completed)?;
                let order = Order { status, lease_expires_at: None, completed_at: Some(*now), error: None, ..order };
                completed.push(Completed { order: order.clone(), result: clean_json(result.clone()), now: *now });
                Ok(order)
            }
            None => Err(StoreError::Fenced { fence: *fence, op: "complete" }),
        });
    }
    if !completed.is_empty() {
        record(&tx, &completed).await?;
        tx.commit().await?;
    }
    Ok(outcomes)
}

/// Locks those of the orders that are claimed.
async fn lock_held(tx: &Tx, completions: &[Completion]) -> Result<BTreeMap<OrderId, Order>> {
    let ids: BTreeSet<_> = completions.iter().map(|completion| completion.fence.order_id.0).collect();
    let rows = Entity::find().filter(Column::Id.is_in(ids)).order_by_asc(Column::Id).lock_exclusive();
    let rows = rows.all(tx.db()).await.doing(DOING)?;
    let orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>>>()?;
    let held = orders.into_iter().filter(|order| order.status == OrderStatus::Claimed);
    Ok(held.map(|order| (order.id, order)).collect())
}

async fn record(tx: &Tx, completed: &[Completed]) -> Result<()> {
    let mut rows = Values::new([]);
    for Completed { order, now, .. } in completed {
        rows.push([order.id.0.into(), order.epoch.0.into(), now.0.into()]);
    }
    let save = format!(
        "UPDATE work_orders SET status = 'completed', lease_expires_at = NULL, completed_at = v.column3, error = NULL \
         FROM {} WHERE work_orders.id = v.column1 AND epoch = v.column2 AND status = 'claimed'",
        rows.list()
    );
    let saved = tx.db().execute_raw(rows.statement(tx.db(), &save)).await.doing(DOING)?;
    if usize::try_from(saved.rows_affected()) != Ok(completed.len()) {
        return Err(StoreError::corrupt("work_orders", "a locked order changed"));
    }
    executions::complete(tx, completed).await?;
    sessions::end_of_orders(tx, completed, EndReason::Finished).await?;
    for Completed { order, now, .. } in completed {
        let (task, id) = subject(order);
        let payload = status_payload(order, Some(OrderStatus::Claimed), Some(OrderEvent::Completed));
        tx.event(EventKind::OrderStatus, task, id, payload, *now);
        let moved = json!({"from": TaskStatus::InProgress, "to": TaskStatus::Completed});
        tx.event(EventKind::TaskStatus, task, id, moved, *now);
    }
    complete_tasks(tx, completed).await?;
    tie_up(tx, completed).await
}

/// What most orders do not have: unfinished steps, open questions, a project with a limit that others wait for.
async fn tie_up(tx: &Tx, completed: &[Completed]) -> Result<()> {
    let mut values = Values::new([]);
    for Completed { order, .. } in completed {
        values.push([order.id.0.into(), order.run_id.0.into(), order.project_id.0.into()]);
    }
    let look = format!(
        "SELECT v.column1 AS id, \
                EXISTS (SELECT 1 FROM steps s WHERE s.run_id = v.column2 \
                        AND s.status IN ('pending', 'running', 'waiting')) \
                OR EXISTS (SELECT 1 FROM questions q WHERE q.order_id = v.column1 AND q.status = 'open') AS loose, \
                EXISTS (SELECT 1 FROM projects p WHERE p.id = v.column3 AND p.max_concurrency IS NOT NULL) AS limited \
         FROM {}",
        values.list()
    );
    let mut loose = BTreeSet::new();
    for row in tx.db().query_all_raw(values.statement(tx.db(), &look)).await.doing(DOING)? {
        if row.try_get("", "limited").doing(DOING)? {
            tx.ring_orders();
        }
        if row.try_get("", "loose").doing(DOING)? {
            loose.insert(OrderId(row.try_get("", "id").doing(DOING)?));
        }
    }
    for Completed { order, now, .. } in completed.iter().filter(|completed| loose.contains(&completed.order.id)) {
        steps::cancel_unfinished(tx, order.run_id, *now).await?;
        questions::cancel_open(tx, order.id, *now).await?;
    }
    Ok(())
}
