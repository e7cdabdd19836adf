//! Following the event log: catch up from a cursor, then stay live, missing nothing.

use std::time::Duration;

use futures::Stream;
use shopfloor_store::{
    Store, StoreError,
    events::{Cursor, Event, EventFilter},
};
use tokio_util::sync::CancellationToken;

mod follower;
mod pace;
pub mod redis;

/// How long a follower waits for the bell before it looks by itself.
pub const SAFETY_POLL: Duration = Duration::from_secs(5);

/// Follows the log.
#[derive(Debug, Clone)]
pub struct EventLog {
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
    /// followed by another try after a pause; any other error is yielded and ends the stream.
    pub fn follow(
        &self,
        after: Cursor,
        filter: EventFilter,
        stop: CancellationToken,
    ) -> impl Stream<Item = Result<Event, StoreError>> + Send + use<> {
        let follower = follower::Follower::new(self.store.clone(), after, filter, stop);
        futures::stream::unfold(follower, |mut follower| async { follower.next().await.map(|item| (item, follower)) })
    }
}
