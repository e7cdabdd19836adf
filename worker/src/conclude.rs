//! Writes verdicts: the apalis acknowledgement of ours.

use std::{convert::Infallible, sync::Arc, time::Duration};

use apalis_core::{error::BoxDynError, task::ExecutionContext, worker::ext::ack::Acknowledge};
use futures::future::BoxFuture;
use shopfloor_domain::{backoff::RetryPolicy, machine::Machine as _};
use shopfloor_store::{
    StoreError,
    orders::{Order, Verdict},
};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::{
    backend::chain,
    engine::Ended,
    held::{Hands, Held, Why},
    settings::Deps,
};

/// The waits between tries to write a verdict.
const WRITE_BACKOFF: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), max: Duration::from_secs(1), max_attempts: 0, max_kills: 0 };

/// Ends claims.
#[derive(Clone)]
pub(crate) struct Conclude {
    deps: Deps,
    retry: RetryPolicy,
    hands: Arc<Hands>,
}

impl Conclude {
    pub(crate) fn new(deps: Deps, retry: RetryPolicy, hands: Arc<Hands>) -> Self {
        Self { deps, retry, hands }
    }

    /// Writes the verdict and lets go of the order. A ghost writes nothing.
    pub(crate) async fn write(&self, held: &Held, verdict: Verdict) {
        held.conclude();
        let outcome = label(&verdict);
        if held.why() == Some(Why::Lost) {
            self.gone(held);
        } else if let Some(order) = self.persist(held, verdict).await {
            let ran = self.deps.clock.now().since(order.claimed_at.unwrap_or(self.deps.clock.now()));
            if order.status.is_final() {
                self.deps.metrics.orders_finished.with_label_values(&[order.status.as_str()]).inc();
            }
            self.deps.metrics.order_run.with_label_values::<&str>(&[]).observe(ran.as_secs_f64());
            info!(
                order.id = %order.id, task.id = %order.task_id, attempt = order.attempt, status = %order.status,
                "Finished order `{}` with `{outcome}`", order.id,
            );
        }
        self.hands.let_go(held.fence());
    }

    fn gone(&self, held: &Held) {
        info!(order.id = %held.fence().order_id, "Dropped an order that is no longer this worker's");
        self.hands.let_go(held.fence());
    }

    /// Tries until the record has it, refuses it, or the lease is over.
    async fn persist(&self, held: &Held, mut verdict: Verdict) -> Option<Order> {
        let fence = held.fence();
        let mut tries = 0_u32;
        loop {
            tries += 1;
            let error = match self.deps.queue.finish(fence, verdict.clone(), self.deps.clock.now()).await {
                Ok(order) => return Some(order),
                Err(StoreError::Fenced { op, .. }) => {
                    self.deps.metrics.fenced_writes.with_label_values(&[op]).inc();
                    // After a failed try this may be our own verdict, committed without our being told.
                    info!(order.id = %fence.order_id, tries, "The verdict came too late; the order has moved on");
                    return None;
                }
                Err(error) => error,
            };
            let problem = chain(&error);
            if error.is_transient() && Instant::now() < held.lease_until() {
                warn!(%problem, order.id = %fence.order_id, tries, "Cannot write the verdict; trying again");
                sleep(WRITE_BACKOFF.backoff(tries, rand::random())).await;
            } else if !error.is_transient() && !matches!(verdict, Verdict::Failed { result: None, .. }) {
                warn!(%problem, order.id = %fence.order_id, "The record refuses the verdict; recording that instead");
                verdict =
                    Verdict::Failed { error: format!("The outcome could not be recorded: {problem}"), result: None };
            } else {
                error!(%problem, order.id = %fence.order_id, tries, "Gave up writing the verdict; a rescue will find it");
                return None;
            }
        }
    }

    fn verdict(&self, held: &Held, ended: &Result<Ended, BoxDynError>) -> Option<Verdict> {
        match ended {
            Ok(Ended::Verdict(verdict)) => Some(verdict.clone()),
            Ok(Ended::Gone) => None,
            Err(panic) => {
                let attempt = held.claim.order.attempt;
                error!(%panic, order.id = %held.fence().order_id, attempt, "Work on an order panicked");
                let after = self.retry.backoff(attempt, rand::random());
                Some(Verdict::Retry { error: format!("The worker's program failed: {panic}"), after })
            }
        }
    }
}

const fn label(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Completed { .. } => "completed",
        Verdict::Failed { .. } => "failed",
        Verdict::Retry { .. } => "retry",
        Verdict::Parked => "parked",
        Verdict::Released { .. } => "released",
        Verdict::Cancelled => "cancelled",
    }
}

impl Acknowledge<Ended> for Conclude {
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    fn ack(&mut self, ended: &Result<Ended, BoxDynError>, ctx: &ExecutionContext) -> Self::Future {
        let held: Option<Arc<Held>> = ctx.data().get::<Arc<Held>>().map(Arc::clone);
        let verdict = held.as_ref().and_then(|held| self.verdict(held, ended));
        let this = self.clone();
        Box::pin(async move {
            match (held, verdict) {
                (Some(held), Some(verdict)) => this.write(&held, verdict).await,
                (Some(held), None) => this.gone(&held),
                (None, _) => error!("apalis lost the order of a task; a rescue will find it"),
            }
            Ok(())
        })
    }
}
