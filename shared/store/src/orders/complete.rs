//! Completing many claims in one transaction: a fleet finishes more orders than a database can commit one by one.
//!
//! On PostgreSQL one statement does for all of them what `conclude` does for one; the contract suites hold the two against
//! each other. Those that it passes by (ghosts, orders with loose ends) go one by one. SQLite has no round trips to save, so
//! there they are concluded one after another, with one flush to disk.

use std::collections::{BTreeMap, HashSet};

use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, FromQueryResult as _, Statement, prelude::Uuid};
use serde_json::Value;
use shopfloor_domain::{Fence, Timestamp};

use super::{
    Order,
    finish::{complete_alone, completed_in},
};
use crate::{
    Backend, Result, Store,
    entity::work_order::Model,
    error::Doing as _,
    rows::{clean_json, list},
    tx::retrying,
};

const DOING: &str = "completing orders";

/// A claim whose work is done.
#[derive(Debug, Clone)]
pub(super) struct Completion {
    pub(super) fence: Fence,
    pub(super) result: Value,
    pub(super) now: Timestamp,
}

/// Completes these claims; the outcomes come in the same order. `Fenced` for each whose claim is no longer valid: nothing
/// is written about that one then.
pub(super) async fn complete_many(store: &Store, completions: &[Completion]) -> Vec<Result<Order>> {
    match store.backend() {
        Backend::Postgres => complete_at_once(store, completions).await,
        Backend::Sqlite => match retrying(|| complete_in_turn(store, completions)).await {
            Ok(outcomes) => outcomes,
            Err(error) => each_alone(store, completions, &error).await,
        },
    }
}

/// One of them may be at fault; the others must not suffer for it.
async fn each_alone(store: &Store, completions: &[Completion], error: &crate::StoreError) -> Vec<Result<Order>> {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        count = completions.len(),
        "Orders could not be completed together, completing them each alone"
    );
    join_all(completions.iter().map(|completion| complete_alone(store, completion.clone()))).await
}

async fn complete_in_turn(store: &Store, completions: &[Completion]) -> Result<Vec<Result<Order>>> {
    let tx = store.begin(DOING).await?;
    let mut outcomes = Vec::with_capacity(completions.len());
    for completion in completions {
        match completed_in(&tx, completion).await {
            // A ghost is refused before anything is written.
            Err(error @ crate::StoreError::Fenced { .. }) => outcomes.push(Err(error)),
            outcome => outcomes.push(Ok(outcome?)),
        }
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// `$1` to `$5`: orders, epochs, times, results and ids for the log, of which the last names the completion that won when
/// there are several of one claim. Unfinished steps, open questions and tasks that are not in progress are left to the long
/// way; so are orders whose cancellation was asked for: this statement's place in the log is fixed by its first row, and
/// the request must stand before it. A claimed order is one with a lease: asking for that, and counting instead of asking
/// for existence, makes every look-up a probe of one index per order, whatever the planner believes about the tables. What
/// is told has the epoch that was shown, not the row's: should the condition ever fail, the log shows it.
const COMPLETE: &str = "
    WITH given AS (
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::jsonb[], $5::uuid[])
            AS given (id, epoch, at, result, event)
    ), done AS (
        UPDATE work_orders AS o
        SET status = 'completed', lease_expires_at = NULL, completed_at = g.at, error = NULL
        FROM given g
        WHERE o.id = g.id AND o.epoch = g.epoch AND o.lease_expires_at IS NOT NULL AND o.cancel_requested_at IS NULL
            AND (SELECT t.status FROM tasks t WHERE t.id = o.task_id) = 'in_progress'
            AND (SELECT count(*) FROM steps s
                 WHERE s.run_id = o.run_id AND s.status IN ('pending', 'running', 'waiting')) = 0
            AND (SELECT count(*) FROM questions q WHERE q.order_id = o.id AND q.status = 'open') = 0
        RETURNING o.*, g.at, g.result, g.event, g.epoch AS shown
    ), task AS (
        UPDATE tasks AS t
        SET status = 'completed', result = d.result, error = NULL, completed_at = d.at, updated_at = d.at
        FROM done d WHERE t.id = d.task_id
    ), run AS (
        UPDATE pipelines AS p SET status = 'completed', updated_at = d.at
        FROM done d WHERE p.id = d.run_id
    ), session AS (
        UPDATE sessions AS s
        SET status = 'terminated', terminated_at = d.at, end_reason = 'finished', outcome = 'completed', output = d.result
        FROM done d WHERE s.order_id = d.id AND s.status <> 'terminated'
    ), told AS (
        INSERT INTO events (id, kind, task_id, order_id, payload, created_at)
        SELECT event, 'order.status', task_id, id,
               jsonb_build_object(
                   'from', 'claimed', 'to', 'completed', 'event', 'completed', 'epoch', shown, 'attempt', attempt,
                   'worker_id', worker_id, 'session_id', NULL, 'end_reason', 'finished', 'error', NULL,
                   'task', jsonb_build_object('from', 'in_progress', 'to', 'completed')),
               at
        FROM done
    )
    SELECT d.*, (SELECT p.max_concurrency FROM projects p WHERE p.id = d.project_id) IS NOT NULL AS limited FROM done d";

async fn complete_at_once(store: &Store, completions: &[Completion]) -> Vec<Result<Order>> {
    let names: Vec<Uuid> = completions.iter().map(|_| Uuid::now_v7()).collect();
    let mut won = match retrying(|| complete_unencumbered(store, completions, &names)).await {
        Ok(won) => won,
        Err(error) => return each_alone(store, completions, &error).await,
    };
    let mut outcomes = Vec::with_capacity(completions.len());
    for (completion, name) in completions.iter().zip(names) {
        outcomes.push(match won.remove(&name) {
            Some(order) => Ok(order),
            None => complete_alone(store, completion.clone()).await,
        });
    }
    outcomes
}

/// The orders that could be completed just so, by the names of their completions.
async fn complete_unencumbered(
    store: &Store,
    completions: &[Completion],
    names: &[Uuid],
) -> Result<BTreeMap<Uuid, Order>> {
    // Two of one claim: the later one is a ghost by then.
    let mut seen = HashSet::new();
    let first = || completions.iter().zip(names);
    let chosen: Vec<_> = first().filter(|(completion, _)| seen.insert(completion.fence)).collect();
    let values = [
        list(chosen.iter().map(|(completion, _)| completion.fence.order_id.0)),
        list(chosen.iter().map(|(completion, _)| completion.fence.epoch.0)),
        list(chosen.iter().map(|(completion, _)| completion.now.0)),
        list(chosen.iter().map(|(completion, _)| clean_json(completion.result.clone()))),
        list(chosen.iter().map(|(_, name)| **name)),
    ];
    let db = store.writer();
    let statement = Statement::from_sql_and_values(db.get_database_backend(), COMPLETE, values);
    let (mut won, mut room) = (BTreeMap::new(), false);
    for row in db.query_all_raw(statement).await.doing(DOING)? {
        room |= row.try_get::<bool>("", "limited").doing(DOING)?;
        let name = row.try_get("", "event").doing(DOING)?;
        won.insert(name, Order::try_from(Model::from_query_result(&row, "").doing(DOING)?)?);
    }
    if !won.is_empty() {
        store.announce_events();
    }
    if room {
        store.announce_orders();
    }
    Ok(won)
}
