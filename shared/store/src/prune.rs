//! What is kept, and for how long.

use sea_orm::{ConnectionTrait as _, Statement};
use shopfloor_domain::Timestamp;

use crate::{Backend, Result, Store, error::Doing as _, tx::retrying};

/// Events by age, but none of a task that still goes on: who watches it can read its story from the beginning.
const EVENTS: &str = "SELECT ROWID FROM events WHERE created_at < $1 AND NOT EXISTS \
     (SELECT 1 FROM tasks WHERE tasks.id = events.task_id AND tasks.status IN ('queued', 'in_progress')) \
     ORDER BY created_at LIMIT $2";
const KEYS: &str = "SELECT ROWID FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2";
const WORKERS: &str = "SELECT ROWID FROM workers WHERE status = 'offline' AND last_heartbeat_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM work_orders WHERE work_orders.worker_id = workers.id) \
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.worker_id = workers.id) \
     ORDER BY last_heartbeat_at LIMIT $2";

/// What a pass removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Entries of the event log.
    pub events: u64,
    /// Idempotency keys.
    pub idempotency_keys: u64,
    /// Offline workers that hold nothing and that no row needs.
    pub workers: u64,
}

/// Removes at most `limit` rows of each kind that are older than `before`. Events of unfinished tasks stay.
///
/// # Errors
/// `Database`.
pub async fn pass(store: &Store, before: Timestamp, limit: u32) -> Result<Pruned> {
    Ok(Pruned {
        events: retrying(|| delete(store, "events", EVENTS, before, limit)).await?,
        idempotency_keys: retrying(|| delete(store, "idempotency_keys", KEYS, before, limit)).await?,
        workers: retrying(|| delete(store, "workers", WORKERS, before, limit)).await?,
    })
}

/// Deletes the rows that `which` selects by the place where they lie.
async fn delete(store: &Store, table: &str, which: &str, before: Timestamp, limit: u32) -> Result<u64> {
    const DOING: &str = "pruning old rows";
    let place = match store.backend() {
        Backend::Postgres => "ctid",
        Backend::Sqlite => "rowid",
    };
    let which = which.replace("ROWID", place);
    let sql = format!("DELETE FROM {table} WHERE {place} IN ({which})");
    let tx = store.begin(DOING).await?;
    let values = [before.0.into(), i64::from(limit).into()];
    let delete = Statement::from_sql_and_values(tx.db().get_database_backend(), sql, values);
    let deleted = tx.db().execute_raw(delete).await.doing(DOING)?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}
