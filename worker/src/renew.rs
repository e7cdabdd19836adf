//! Keeps the leases: one batched renewal for everything in hand, independent of what apalis is doing.

use std::{sync::Arc, time::Duration};

use shopfloor_domain::{Clock, WorkerId, lease::LeasePolicy};
use shopfloor_queue::Queue;
use shopfloor_store::orders::Renewed;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tracing::{info, warn};

use crate::{
    backend::chain,
    held::{Hands, Held, Why},
};

/// Renews for ever. When the record cannot be reached for a whole lease, the worker is a ghost by its own clock: it stops
/// the work, since somebody else may be doing it by now.
pub(crate) async fn renew_leases(
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    worker: WorkerId,
    lease: LeasePolicy,
    hands: Arc<Hands>,
) {
    let mut tick = interval(lease.renew_every.max(Duration::from_millis(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let held = hands.all();
        if !held.is_empty() {
            renew_once(&*queue, &*clock, worker, lease.ttl, &held).await;
        }
    }
}

async fn renew_once(queue: &dyn Queue, clock: &dyn Clock, worker: WorkerId, ttl: Duration, held: &[Arc<Held>]) {
    let sent_at = Instant::now();
    let fences: Vec<_> = held.iter().map(|held| held.fence()).collect();
    let first_to_expire = held.iter().map(|held| held.lease_until()).min().unwrap_or(sent_at);
    let renewal = queue.renew(worker, &fences, ttl, clock.now());
    match timeout_at(first_to_expire, renewal).await {
        Ok(Ok(outcomes)) => {
            for (held, outcome) in held.iter().zip(outcomes) {
                heed(held, outcome, sent_at + ttl);
            }
        }
        Ok(Err(error)) => warn!(error = chain(&error), held = held.len(), "Cannot renew the leases; trying again soon"),
        Err(_) => warn!(held = held.len(), "The record did not answer a renewal in time"),
    }
    let now = Instant::now();
    for held in held.iter().filter(|held| held.lease_until() <= now) {
        if !held.is_concluding() && held.halt(Why::Lost) {
            warn!(order.id = %held.fence().order_id, "The lease ran out unrenewed; stopping work on the order");
        }
    }
}

fn heed(held: &Held, outcome: Renewed, until: Instant) {
    match outcome {
        Renewed::Held => held.renewed(until),
        Renewed::CancelRequested => {
            held.renewed(until);
            if !held.is_concluding() && held.halt(Why::Cancelled) {
                info!(order.id = %held.fence().order_id, "Stopping the order on request");
            }
        }
        Renewed::Lost => {
            if !held.is_concluding() && held.halt(Why::Lost) {
                warn!(order.id = %held.fence().order_id, "The order is no longer this worker's; stopping work on it");
            }
        }
    }
}

#[cfg(test)]
mod tests;
