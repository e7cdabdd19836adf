//! Why work on an order stopped without a verdict, and the writes that may fail for a while.

use std::time::Duration;

use shopfloor_domain::backoff::RetryPolicy;
use shopfloor_store::StoreError;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::{backend::chain, held::Held};

/// How long one write is tried when the record cannot be reached. Longer than a lease there is no point.
const PATIENCE: Duration = Duration::from_secs(30);
const BACKOFF: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), max: Duration::from_secs(2), max_attempts: 0, max_kills: 0 };

/// Why the engine stopped.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The record refused a write: somebody else has the order.
    Fenced(&'static str),
    /// It was told to.
    Stopped,
    /// The order was cancelled under it.
    Cancelled,
    /// The record has moved while a write was tried: look again.
    Moved(String),
    /// The machinery failed; another attempt may succeed.
    Infrastructure(String),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced { op, .. } => Self::Fenced(op),
            StoreError::Conflict { .. } => Self::Moved(error.to_string()),
            error => Self::Infrastructure(chain(&error)),
        }
    }
}

/// Runs one call of the record, again while the record cannot be reached. Trying again is safe: a write that did arrive
/// makes the next try a conflict, and then the engine looks at what is recorded.
pub(crate) async fn persist<T, F, R>(held: &Held, call: F) -> Result<T, Halt>
where
    F: Fn() -> R,
    R: Future<Output = shopfloor_store::Result<T>>,
{
    let until = Instant::now() + PATIENCE;
    let mut tries = 0_u32;
    loop {
        tries += 1;
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if error.is_transient() && Instant::now() < until => {
                warn!(problem = chain(&error), order.id = %held.fence().order_id, tries, "The record is out of reach");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = sleep(BACKOFF.backoff(tries, rand::random())) => {}
            () = held.stop().cancelled() => return Err(Halt::Stopped),
        }
    }
}
