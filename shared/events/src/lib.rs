//! Following the event log: catch up from a cursor, then stay live, missing nothing.

use std::time::Duration;

use futures::Stream;
use shopfloor_store::{
    Store, StoreError,
    events::{Cursor, Event, EventFilter},
};
use tokio_util::sync::CancellationToken;

/// How long a follower waits for the bell before it looks by itself.
pub const SAFETY_POLL: Duration = Duration::from_secs(5);

/// Follows the log.
#[derive(Debug, Clone)]
pub struct EventLog {
    #[expect(dead_code, reason = "until implemented")]
    store: Store,
}

impl EventLog {
    /// A log on this record.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Every event after `after` that `filter` lets through, in log order, for ever; ends when `stop` is cancelled. Reads
    /// in bounded batches, so that a slow reader costs the reader only. A transient error of the record is yielded and
    /// followed by another try after a pause.
    pub fn follow(
        &self,
        _after: Cursor,
        _filter: EventFilter,
        _stop: CancellationToken,
    ) -> impl Stream<Item = Result<Event, StoreError>> + Send + use<> {
        futures::stream::empty()
    }
}
