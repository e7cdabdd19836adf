//! One reader's place in the log.

use std::{collections::VecDeque, time::Duration};

use shopfloor_store::{
    Backend, Ear, Store, StoreError,
    events::{self, Cursor, Event, EventFilter},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::pace::Pace;

/// Events read at once, at most.
const BATCH: u32 = 500;

#[derive(Debug)]
pub(crate) struct Follower {
    store: Store,
    ear: Ear,
    after: Cursor,
    filter: EventFilter,
    stop: CancellationToken,
    batch: VecDeque<Event>,
    pace: Pace,
    /// What to do before the next look.
    pause: Pause,
}

#[derive(Debug)]
enum Pause {
    None,
    Listen(Duration),
    Sleep(Duration),
    Ended,
}

impl Follower {
    pub(crate) fn new(store: Store, after: Cursor, filter: EventFilter, stop: CancellationToken) -> Self {
        let pace = Pace::new(store.backend() == Backend::Postgres);
        // Armed before the first look, so that nothing written meanwhile is missed.
        let ear = store.events_bell().ear();
        Self { store, ear, after, filter, stop, batch: VecDeque::new(), pace, pause: Pause::None }
    }

    /// The next event or error; `None` when told to stop.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, StoreError>> {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            item = self.advance() => item,
        }
    }

    async fn advance(&mut self) -> Option<Result<Event, StoreError>> {
        loop {
            if let Some(event) = self.batch.pop_front() {
                self.after = event.cursor;
                return Some(Ok(event));
            }
            match self.pause {
                Pause::None => {}
                Pause::Listen(most) => self.listen(most).await,
                Pause::Sleep(pause) => sleep(pause).await,
                Pause::Ended => return None,
            }
            if let Err(error) = self.look().await {
                self.pause = if error.is_transient() { Pause::Sleep(self.pace.failed()) } else { Pause::Ended };
                return Some(Err(error));
            }
        }
    }

    async fn listen(&mut self, most: Duration) {
        tokio::select! {
            () = self.ear.heard() => self.pace.stirred(),
            () = sleep(most) => {}
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        // With a filter, what it keeps out would be read again at every look. The end of the log as seen before the look
        // bounds what the look has covered.
        let filtered = self.filter != EventFilter::default();
        let tail = if filtered { events::tail(&self.store).await? } else { self.after };
        let batch = events::read(&self.store, self.after, &self.filter, BATCH).await?;
        self.pace.recovered();
        if batch.is_empty() {
            self.after = self.after.max(tail);
            self.pause = Pause::Listen(self.pace.quiet());
        } else {
            self.batch = batch.into();
            self.pace.stirred();
            self.pause = Pause::None;
        }
        Ok(())
    }
}
