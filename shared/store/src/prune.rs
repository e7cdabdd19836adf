//! What is kept, and for how long.

use shopfloor_domain::Timestamp;

use crate::{Result, Store};

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
pub async fn pass(_store: &Store, _before: Timestamp, _limit: u32) -> Result<Pruned> {
    todo!()
}
