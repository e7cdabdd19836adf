//! How many orders a worker asks for at once.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All the room that there is, and half of `in_hand` at least, which is waited for: small claims waste trips.
pub(crate) async fn take(room: &Arc<Semaphore>, in_hand: usize) -> Result<OwnedSemaphorePermit> {
    let mut taken = Arc::clone(room).acquire_many_owned(u32::try_from((in_hand / 2).max(1))?).await?;
    while let Ok(more) = Arc::clone(room).try_acquire_owned() {
        taken.merge(more);
    }
    Ok(taken)
}
