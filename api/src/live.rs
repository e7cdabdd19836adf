//! What lives longer than a request: event streams, sockets, waiting claims. They are counted, they end when the server
//! stops, and those of a revoked key end too.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use shopfloor_domain::role::Permission;
use shopfloor_store::{
    StoreError,
    events::{Cursor, Event, EventFilter},
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use crate::{
    app::AppState,
    auth::{Caller, Credentials},
    error::{ApiError, Result},
};

/// A key is looked up again after so many heartbeats.
const RECHECK: u32 = 12;

/// One of the places for long-lived connections; free again when dropped.
pub(crate) fn permit(state: &AppState) -> Result<OwnedSemaphorePermit> {
    let taken = Arc::clone(&state.streams).try_acquire_owned();
    taken.map_err(|_| ApiError::unavailable("too_many_streams", "every place for long-lived connections is taken"))
}

/// What a feed brings.
#[derive(Debug)]
pub(crate) enum Item {
    /// An entry of the log.
    Event(Box<Event>),
    /// The record is out of reach; the feed goes on trying.
    Trouble,
    /// Time for a sign of life.
    Beat,
}

/// The event log from a place on, with heartbeats, for one caller.
pub(crate) struct Feed {
    state: AppState,
    credentials: Credentials,
    events: Pin<Box<dyn Stream<Item = Result<Event, StoreError>> + Send>>,
    beats: Interval,
    beat: u32,
}

impl Feed {
    pub(crate) fn new(state: AppState, credentials: Credentials, after: Cursor, filter: EventFilter) -> Self {
        let events = Box::pin(state.events.follow(after, filter, state.stop.clone()));
        let beats = beats(state.settings.heartbeat);
        Self { state, credentials, events, beats, beat: 0 }
    }

    /// Goes on from another place.
    pub(crate) fn restart(&mut self, after: Cursor, filter: EventFilter) {
        self.events = Box::pin(self.state.events.follow(after, filter, self.state.stop.clone()));
    }

    /// The next item; `None` when the server stops, the record is beyond repair or the key no longer allows to read.
    /// Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        tokio::select! {
            biased;
            () = self.state.stop.cancelled() => None,
            _ = self.beats.tick() => self.live().await.then_some(Item::Beat),
            event = self.events.next() => match event? {
                Ok(event) => Some(Item::Event(Box::new(event))),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "A stream cannot read the event log; it will try again");
                    Some(Item::Trouble)
                }
                Err(error) => {
                    tracing::error!(?error, "A stream cannot read the event log");
                    None
                }
            },
        }
    }

    /// Whether the key still allows to read. A record out of reach revokes nothing.
    async fn live(&mut self) -> bool {
        self.beat = self.beat.wrapping_add(1);
        if !self.beat.is_multiple_of(RECHECK) {
            return true;
        }
        match self.credentials.caller(&self.state).await.and_then(|caller| caller.must(Permission::Read)) {
            Ok(()) => true,
            Err(error) => error.problem().status >= 500,
        }
    }

    /// The caller as the key stands now.
    pub(crate) async fn caller(&mut self) -> Result<Caller> {
        self.credentials.caller(&self.state).await
    }
}

/// Ticks from one period on.
fn beats(period: Duration) -> Interval {
    let period = period.max(Duration::from_millis(1));
    let mut beats = interval_at(Instant::now() + period, period);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}
