//! The newest look of each worker: armed by a claim, taken by the wait that follows it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shopfloor_domain::WorkerId;

/// Workers remembered at most. Forgetting one is harmless: it looks once more before it sleeps.
const MAX_WORKERS: usize = 4096;

/// One look per worker. Cloning shares them.
#[derive(Debug)]
pub(crate) struct Looks<L>(Arc<Mutex<HashMap<WorkerId, L>>>);

impl<L> Looks<L> {
    /// Notes a look, in place of an earlier one.
    pub(crate) fn put(&self, worker: WorkerId, look: L) {
        let mut looks = self.looks();
        if looks.len() >= MAX_WORKERS && !looks.contains_key(&worker) {
            looks.clear();
        }
        looks.insert(worker, look);
    }

    /// The newest look of `worker`, once.
    pub(crate) fn take(&self, worker: WorkerId) -> Option<L> {
        self.looks().remove(&worker)
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<WorkerId, L>> {
        // Every change is one call on a map: a panic elsewhere leaves nothing half-done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Default for Looks<L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L> Clone for Looks<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
