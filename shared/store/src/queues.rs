//! Queues: named, pausable.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, Timestamp};

use crate::{Result, Store};

/// A queue. It exists from the first time its name is used; `default` always does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// Since when it is paused; `None` when it is not.
    pub paused_at: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
}

/// Every queue, by name.
pub async fn list(_store: &Store) -> Result<Vec<Queue>> {
    todo!()
}

/// Pauses a queue: nothing is claimed from it any more; what runs goes on. Pausing twice changes nothing.
pub async fn pause(_store: &Store, _name: &Name, _by: &str, _now: Timestamp) -> Result<Queue> {
    todo!()
}

/// Resumes a queue.
pub async fn resume(_store: &Store, _name: &Name, _by: &str, _now: Timestamp) -> Result<Queue> {
    todo!()
}
