//! The loops, one per file.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shopfloor_store::{Bell, StoreError};

use crate::{Deps, Settings};

mod blocked;
mod ladder;
mod promote;
mod prune;
mod reconcile;
mod rescue;
mod sessions;
mod workers;

pub use blocked::Blocked;
pub use ladder::Ladder;
pub use promote::Promote;
pub use prune::Prune;
pub use reconcile::Reconcile;
pub use rescue::Rescue;
pub use sessions::Sessions;
pub use workers::Workers;

/// The most rows that one pass moves; when there are more, the next pass follows at once.
pub const BATCH: u32 = 200;

/// Something to be done over and over. Each pass must be safe to repeat, to run twice at once and to be cut off anywhere.
#[async_trait]
pub trait Loop: Send + Sync + 'static {
    /// Its name in logs and metrics.
    fn name(&self) -> &'static str;

    /// How often it looks when nothing calls it before.
    fn every(&self) -> Duration;

    /// The bell that calls it before its time.
    fn bell(&self) -> Option<&Bell> {
        None
    }

    /// Looks once and does what is due, bounded in rows.
    ///
    /// # Errors
    /// [`StoreError`] when the record failed; what was not done is left to the next pass.
    async fn pass(&self) -> Result<Work, StoreError>;
}

/// What a pass did, and when the next one is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// How many rows it moved.
    pub done: u64,
    /// Whether rows were left, so that the next pass should follow at once.
    pub more: bool,
    /// When something is known to be due, if that may be before the next tick.
    pub next_in: Option<Duration>,
}

impl Work {
    /// `done` rows out of at most `limit`.
    #[must_use]
    pub fn batch(done: usize, limit: u32) -> Self {
        Self { done: done as u64, more: done as u64 >= u64::from(limit), next_in: None }
    }
}

/// Every loop of the orchestrator.
#[must_use]
pub fn all(settings: &Settings, deps: &Deps) -> Vec<Arc<dyn Loop>> {
    vec![
        Arc::new(Rescue::new(settings, deps, rand::random)),
        Arc::new(Promote::new(settings, deps)),
        Arc::new(Reconcile::new(settings, deps)),
        Arc::new(Ladder::new(settings, deps)),
        Arc::new(Sessions::new(settings, deps)),
        Arc::new(Workers::new(settings, deps)),
        Arc::new(Blocked::new(settings, deps)),
        Arc::new(Prune::new(settings, deps)),
    ]
}
