//! Runs a loop: pass, wait, again, until it is stopped.

use std::{sync::Arc, time::Duration};

use shopfloor_domain::backoff::RetryPolicy;
use shopfloor_store::Ear;
use shopfloor_telemetry::Metrics;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::{
    Loop, Work,
    guard::{PASS_LIMIT, PassError, guarded},
};

/// The least time between a pass and one that a nudge asks for, so that a busy bell does not make a busy loop.
const BREATHER: Duration = Duration::from_millis(50);
/// How failing passes are slowed down. Never beyond five seconds: a rescue must not be late after an outage.
const SLOW_DOWN: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), max: Duration::from_secs(5), max_attempts: 0, max_kills: 0 };

/// Runs the loop until `stop`. A pass in hand is cut off then: it may be repeated by whoever leads next.
pub(crate) async fn drive(looped: Arc<dyn Loop>, metrics: Metrics, stop: CancellationToken) {
    let mut failures = 0_u32;
    loop {
        // Armed before the pass looks, so that what rings meanwhile is not lost.
        let mut ear = looped.bell().map(|bell| bell.ear());
        let began = Instant::now();
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            outcome = guarded(looped.as_ref(), PASS_LIMIT) => outcome,
        };
        report(looped.name(), &outcome, began.elapsed(), &metrics);
        let (pause, ear) = match &outcome {
            Ok(work) => {
                failures = 0;
                (pause_after(work, looped.every()), ear.as_mut())
            }
            Err(_) => {
                failures = failures.saturating_add(1);
                (SLOW_DOWN.backoff(failures, rand::random()), None)
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
            () = nudged(ear) => {}
        }
    }
}

/// Nothing when rows are left; otherwise until the next tick, or until something is known to be due before it.
fn pause_after(work: &Work, every: Duration) -> Duration {
    if work.more { Duration::ZERO } else { work.next_in.map_or(every, |due| due.min(every)) }
}

async fn nudged(ear: Option<&mut Ear>) {
    match ear {
        Some(ear) => {
            sleep(BREATHER).await;
            ear.heard().await;
        }
        None => std::future::pending().await,
    }
}

fn report(name: &'static str, outcome: &Result<Work, PassError>, took: Duration, metrics: &Metrics) {
    let label = outcome.as_ref().map_or_else(PassError::outcome, |_| "ok");
    metrics.loop_passes.with_label_values(&[name, label]).inc();
    metrics.loop_pass.with_label_values(&[name]).observe(took.as_secs_f64());
    match outcome {
        Ok(work) if work.done > 0 => debug!(done = work.done, "The pass `{name}` moved {} rows", work.done),
        Ok(_) => {}
        Err(error) => error!(error = ?error, "The pass `{name}` failed: {error}"),
    }
}

#[cfg(test)]
mod tests;
