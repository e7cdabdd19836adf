//! Campaigns for the lead, and runs the loops while it has it.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Candidate, Deps, Settings, StoreBallot, leader::Ended, loops, runner::drive};

/// Runs until `stop`; then gives the lead up. Does not fail: what goes wrong is logged and tried again.
pub async fn run(settings: Settings, deps: Deps, stop: CancellationToken) {
    let ballot = Arc::new(StoreBallot(deps.store.clone()));
    let candidate = Candidate::new(ballot, Arc::clone(&deps.clock), settings.leader_ttl);
    let leads = deps.metrics.leader.with_label_values::<&str>(&[]);
    while let Some(term) = candidate.wins(&stop).await {
        info!("This orchestrator leads");
        leads.set(1);
        let ended = {
            let reign = stop.child_token();
            let mut running = start(&settings, &deps, &reign);
            let ended = candidate.reign(term, &stop).await;
            reign.cancel();
            finish(&mut running).await;
            ended
        };
        leads.set(0);
        match ended {
            Ended::Stopped => candidate.resign().await,
            Ended::Ousted => warn!("This orchestrator leads no longer: another one does"),
            Ended::Expired => warn!("This orchestrator leads no longer: it could not renew its lease in time"),
        }
    }
}

fn start(settings: &Settings, deps: &Deps, reign: &CancellationToken) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for looped in loops::all(settings, deps) {
        running.spawn(drive(looped, deps.metrics.clone(), reign.clone()));
    }
    running
}

/// Waits for the loops, which stop at once: a pass in hand is cut off at its next await.
async fn finish(running: &mut JoinSet<()>) {
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            error!(error = ?error, "A loop ended by a bug: {error}");
        }
    }
}
