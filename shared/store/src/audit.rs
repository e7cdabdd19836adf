//! The audit log: who did what, append-only, each entry hashing the one before it.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{RunId, StepId, Timestamp};

use crate::{Page, PageRequest, Result, Store};

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
pub async fn list(_store: &Store, _page: &PageRequest) -> Result<Page<AuditEvent>> {
    todo!()
}

/// Checks the whole chain. Returns how many entries it has; `Corrupt` names the first that does not fit.
pub async fn verify(_store: &Store) -> Result<u64> {
    todo!()
}
