//! Tells the record that the worker lives and whether it is busy.

use std::{sync::Arc, time::Duration};

use shopfloor_domain::{lease::LeasePolicy, worker::WorkerStatus};
use shopfloor_store::{StoreError, workers, workers::NewWorker};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{backend::chain, held::Hands, settings::Deps};

/// Changes of status are told at once, but not more often than this.
const SPACING: Duration = Duration::from_millis(200);

/// Beats for ever: a few times per `worker_offline_after`, and soon after every change of status. A record that has
/// forgotten the worker gets it registered again; a worker that was removed drains.
pub(crate) async fn beat(deps: Deps, me: NewWorker, lease: LeasePolicy, hands: Arc<Hands>, drain: CancellationToken) {
    let every = (lease.worker_offline_after / 3).max(SPACING);
    let mut ear = hands.bell().ear();
    let mut told = WorkerStatus::Idle;
    let mut due = Instant::now() + every;
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = ear.heard() => if hands.status() == told { continue },
        }
        let status = hands.status();
        match beat_once(&deps, &me, status).await {
            Ok(removed) => {
                told = status;
                if removed && !drain.is_cancelled() {
                    info!(worker.id = %me.id, "The worker was removed; draining");
                    drain.cancel();
                }
            }
            Err(error) => {
                warn!(error = chain(&error), worker.id = %me.id, "Cannot send a heartbeat; trying again soon")
            }
        }
        due = Instant::now() + every;
        tokio::time::sleep(SPACING).await;
    }
}

/// Says whether the worker was removed.
async fn beat_once(deps: &Deps, me: &NewWorker, status: WorkerStatus) -> Result<bool, StoreError> {
    match workers::heartbeat(&deps.store, me.id, status, deps.clock.now()).await {
        Ok(worker) => Ok(worker.removed_at.is_some()),
        Err(StoreError::NotFound { .. }) => {
            info!(worker.id = %me.id, "The record does not know the worker; registering again");
            Ok(workers::register(&deps.store, me.clone(), deps.clock.now()).await?.removed_at.is_some())
        }
        Err(error) => Err(error),
    }
}
