//! The audit log: who did what, append-only, each entry hashing the one before it.
//!
//! The database refuses to change or delete entries; the chain of hashes shows what was done to it behind its back: an
//! edited entry, or one that is missing between others. Entries cut off at the end leave no trace in the log itself.

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shopfloor_domain::{RunId, StepId, Timestamp};

use crate::{
    Backend, Page, PageRequest, Result, Store, StoreError,
    entity::audit_event::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    rows::{clean, clean_json},
    tx::Tx,
};

/// What stands in for the hash before the first entry.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The number of the advisory lock under which entries are appended: the letters of `shopaud`.
const APPEND_LOCK: i64 = 0x0073_686f_7061_7564;
/// Entries checked at a time.
const BATCH: u64 = 1000;

/// An entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// The run it concerns.
    pub run_id: Option<RunId>,
    /// The step it concerns.
    pub step_id: Option<StepId>,
    /// What was done, e.g. `question.answered`.
    pub event_type: String,
    /// Who did it.
    pub actor: String,
    /// The rest.
    pub payload: serde_json::Value,
    /// When.
    pub created_at: Timestamp,
    /// The hash of the entry before.
    pub prev_hash: String,
    /// SHA-256 over `prev_hash` and this entry's fields.
    pub hash: String,
}

/// Entries, newest first.
///
/// # Errors
/// `Invalid` for a foreign cursor, `Database`.
pub async fn list(store: &Store, page: &PageRequest) -> Result<Page<AuditEvent>> {
    let mut rows = Entity::find().order_by_desc(Column::Seq).limit(page.fetch());
    if let Some(after) = page.key::<i64>()? {
        rows = rows.filter(Column::Seq.lt(after));
    }
    let rows = rows.all(store.read()).await.doing("listing the audit log")?;
    let entries = rows.into_iter().map(AuditEvent::try_from).collect::<Result<Vec<_>>>()?;
    Ok(page.page(entries, |entry| entry.seq))
}

/// Checks the whole chain. Returns how many entries it has; `Corrupt` names the first that does not fit.
///
/// # Errors
/// `Corrupt`, `Database`.
pub async fn verify(store: &Store) -> Result<u64> {
    let mut seen = 0;
    let mut expected = GENESIS.to_owned();
    loop {
        let rows = Entity::find().filter(Column::Seq.gt(seen)).order_by_asc(Column::Seq).limit(BATCH);
        let rows = rows.all(store.read()).await.doing("checking the audit log")?;
        if rows.is_empty() {
            return Ok(seen.try_into().unwrap_or(0));
        }
        for row in rows {
            check(&row, seen + 1, &expected)?;
            (seen, expected) = (row.seq, row.hash);
        }
    }
}

fn check(row: &Model, seq: i64, prev_hash: &str) -> Result<()> {
    let corrupt = |problem: String| Err(StoreError::corrupt("audit log", problem));
    if row.seq != seq {
        corrupt(format!("entry {seq} is missing"))
    } else if row.prev_hash != prev_hash {
        corrupt(format!("entry {seq} does not follow the one before it"))
    } else if row.hash != hash(row) {
        corrupt(format!("entry {seq} was changed"))
    } else {
        Ok(())
    }
}

/// Appends an entry. Entries are written one transaction at a time, so do it last, just before the commit.
pub(crate) async fn write(
    tx: &Tx,
    run_id: Option<RunId>,
    step_id: Option<StepId>,
    event_type: &str,
    actor: &str,
    payload: serde_json::Value,
    now: Timestamp,
) -> Result<()> {
    const DOING: &str = "writing to the audit log";
    lock(tx).await?;
    let last = Entity::find().order_by_desc(Column::Seq).one(tx.db()).await.doing(DOING)?;
    let (seq, prev_hash) = last.map_or((0, GENESIS.to_owned()), |row| (row.seq, row.hash));
    let mut row = Model {
        seq: seq + 1,
        run_id: run_id.map(|id| id.0),
        step_id: step_id.map(|id| id.0),
        event_type: event_type.to_owned(),
        actor: clean(actor),
        payload: clean_json(payload).to_string(),
        created_at: now.0,
        prev_hash,
        hash: String::new(),
    };
    row.hash = hash(&row);
    active(row).insert(tx.db()).await.doing(DOING).map(|_| ())
}

/// Keeps other writers of the audit log out until this transaction ends. SQLite has one writer anyway.
pub(crate) async fn lock(tx: &Tx) -> Result<()> {
    if tx.backend() == Backend::Postgres {
        let sql = format!("SELECT pg_advisory_xact_lock({APPEND_LOCK})");
        tx.db().execute_unprepared(&sql).await.doing("waiting for the audit log")?;
    }
    Ok(())
}

/// Every field with its length in front, so that no two entries read the same.
fn hash(row: &Model) -> String {
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let (seq, created_at) = (row.seq.to_string(), row.created_at.to_string());
    let (run, step) = (id(row.run_id), id(row.step_id));
    let fields =
        [&row.prev_hash, &seq, &run, &step, &row.event_type, &row.actor, &row.payload, &created_at].map(String::as_str);
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(field);
    }
    hex::encode(hasher.finalize())
}

fn active(row: Model) -> ActiveModel {
    ActiveModel {
        seq: Set(row.seq),
        run_id: Set(row.run_id),
        step_id: Set(row.step_id),
        event_type: Set(row.event_type),
        actor: Set(row.actor),
        payload: Set(row.payload),
        created_at: Set(row.created_at),
        prev_hash: Set(row.prev_hash),
        hash: Set(row.hash),
    }
}

impl TryFrom<Model> for AuditEvent {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let payload = serde_json::from_str(&row.payload);
        Ok(Self {
            seq: row.seq,
            run_id: row.run_id.map(Into::into),
            step_id: row.step_id.map(Into::into),
            event_type: row.event_type,
            actor: row.actor,
            payload: payload.map_err(|problem| StoreError::corrupt("audit_events.payload", problem))?,
            created_at: Timestamp(row.created_at),
            prev_hash: row.prev_hash,
            hash: row.hash,
        })
    }
}
