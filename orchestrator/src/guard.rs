//! One pass of a loop, bounded: it may fail, panic or hang without harm to the loop.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use shopfloor_store::StoreError;

use crate::{Loop, Work};

/// How long one pass may take. Passes are bounded in rows, so that only a hanging database gets here.
pub(crate) const PASS_LIMIT: Duration = Duration::from_secs(10);

/// Why a pass came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
    /// The record failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// It took too long and was cut off.
    #[error("it took longer than {0:?} and was cut off")]
    TimedOut(Duration),
}

impl PassError {
    /// The `outcome` label of the metric.
    pub(crate) const fn outcome(&self) -> &'static str {
        match self {
            Self::Store(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::TimedOut(_) => "timed_out",
        }
    }
}

/// Runs one pass for at most `limit`.
pub(crate) async fn guarded(looped: &dyn Loop, limit: Duration) -> Result<Work, PassError> {
    // A pass owns no state: what it leaves half-done is a transaction that is rolled back.
    match tokio::time::timeout(limit, AssertUnwindSafe(looped.pass()).catch_unwind()).await {
        Ok(Ok(outcome)) => Ok(outcome?),
        Ok(Err(panic)) => Err(PassError::Panicked(words(panic.as_ref()))),
        Err(_) => Err(PassError::TimedOut(limit)),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
