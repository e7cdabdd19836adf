//! A clock set by the database, so that a machine whose own clock is wrong does no harm: leases, deadlines and delays are
//! compared across processes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use shopfloor_domain::{
    Clock, Timestamp,
    time::{SystemClock, millis},
};
use shopfloor_store::{Backend, Store, StoreError};
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How often the clock is set again: an ordinary quartz drifts by a few milliseconds in this time.
const EVERY: Duration = Duration::from_secs(60);
/// An answer that took longer says too little about when it was given.
const SLOW: Duration = Duration::from_secs(1);

/// The database's time when it was last asked, and the monotonic time that has passed since.
#[derive(Debug)]
pub(crate) struct DatabaseClock {
    origin: Instant,
    /// The database's time at `origin`, in ms.
    base: AtomicI64,
}

impl DatabaseClock {
    async fn start(store: &Store) -> Result<Self, StoreError> {
        let clock = Self { origin: Instant::now(), base: AtomicI64::new(0) };
        clock.set(store).await?;
        Ok(clock)
    }

    async fn set(&self, store: &Store) -> Result<(), StoreError> {
        let asked = self.origin.elapsed();
        let there = store.database_now().await?;
        self.note(there, asked, self.origin.elapsed());
        Ok(())
    }

    /// What the clock shows when this much time has passed since `origin`.
    fn at(&self, passed: Duration) -> Timestamp {
        Timestamp(self.base.load(Ordering::SeqCst).saturating_add(millis(passed)))
    }

    /// Sets the clock by an answer: it was given half-way between asking and hearing.
    fn note(&self, there: Timestamp, asked: Duration, heard: Duration) {
        let known = self.base.load(Ordering::SeqCst);
        if known != 0 && heard.saturating_sub(asked) > SLOW {
            return;
        }
        let base = (there - (asked + heard) / 2).0;
        debug!(moved_ms = base - known, "Set the clock by the database's");
        self.base.store(base, Ordering::SeqCst);
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        self.at(self.origin.elapsed())
    }
}

/// The clock for processes on this record: the database's on PostgreSQL, which several machines may share, the machine's
/// own on SQLite. Keeps it set until `stop`.
pub(crate) async fn clock(store: &Store, stop: CancellationToken) -> Result<Arc<dyn Clock>, StoreError> {
    if store.backend() == Backend::Sqlite {
        return Ok(Arc::new(SystemClock));
    }
    let clock = Arc::new(DatabaseClock::start(store).await?);
    tokio::spawn(keep(Arc::clone(&clock), store.clone(), stop));
    Ok(clock)
}

/// The clock for one command on this record.
pub(crate) async fn now(store: &Store) -> Result<Arc<dyn Clock>, StoreError> {
    clock(store, CancellationToken::new()).await
}

async fn keep(clock: Arc<DatabaseClock>, store: Store, stop: CancellationToken) {
    let mut tick = interval_at(Instant::now() + EVERY, EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = clock.set(&store).await {
            warn!(%error, "Could not set the clock by the database's; it runs on by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_the_databases_time_and_runs_on() {
        let clock = DatabaseClock { origin: Instant::now(), base: AtomicI64::new(0) };
        let ms = Duration::from_millis;
        clock.note(Timestamp(1_000_000), ms(0), ms(20));
        assert_eq!([clock.at(ms(10)), clock.at(ms(510))], [Timestamp(1_000_000), Timestamp(1_000_500)]);
        clock.note(Timestamp(5_000_000), ms(0), ms(5_000));
        assert_eq!(clock.at(ms(10)), Timestamp(1_000_000), "a slow answer is not believed");
        clock.note(Timestamp(900_000), ms(500), ms(500));
        assert_eq!(clock.at(ms(500)), Timestamp(900_000), "the database may be set back");
    }
}
