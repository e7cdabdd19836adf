//! The queue on SQL alone: PostgreSQL or SQLite, whichever holds the record.

use shopfloor_store::Store;

/// Dispatch straight from the record. Wake-up by the store's bell, which `NOTIFY` rings across processes on PostgreSQL;
/// polling is only the safety net.
#[derive(Debug, Clone)]
pub struct SqlQueue {
    #[expect(dead_code, reason = "until implemented")]
    store: Store,
}

impl SqlQueue {
    /// A queue on this record.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}
