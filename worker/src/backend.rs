//! Our queue as an apalis backend.
//!
//! apalis' `Persisted` drives a [`Persistence`] and is dead for ever after its first error, so none ever leaves this one:
//! its error type is `Infallible`. It also takes an empty batch as "sleep until somebody wakes me", so `fetch_next`
//! comes back with work or not at all until the worker stops. Heartbeats and events pass between fetches only; ours
//! run elsewhere (see `docs/adr/005-apalis-as-worker-runtime.md`).

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{
        Backend, BackendConfig,
        finalize::Ephemeral,
        persistence::{Persisted, Persistence, TaskEvent},
    },
    layers::Identity,
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use shopfloor_domain::{Timestamp, WorkerId, backoff::RetryPolicy, session::EndReason};
use shopfloor_store::orders::{ClaimRequest, ClaimedOrder, Verdict};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    conclude::Conclude,
    held::{Hands, Held},
    settings::{Deps, Settings},
};

/// How long a worker sleeps before it looks for work by itself; the bell wakes it earlier.
const SAFETY_POLL: Duration = Duration::from_secs(5);
/// The waits after failed claims.
const CLAIM_BACKOFF: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), max: Duration::from_secs(5), max_attempts: 0, max_kills: 0 };
/// apalis' own heartbeat timer is not used; it must be armed with something.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Claims orders for one worker.
#[derive(Clone)]
pub(crate) struct Claims {
    deps: Deps,
    request: ClaimRequest,
    hands: Arc<Hands>,
    conclude: Conclude,
    /// No more claims once this is cancelled.
    stop: CancellationToken,
    /// Claims under way. They outlive a fetch that is dropped, so that no claimed order is forgotten.
    under_way: TaskTracker,
}

impl Claims {
    pub(crate) fn new(
        deps: Deps,
        settings: &Settings,
        worker: WorkerId,
        hands: Arc<Hands>,
        conclude: Conclude,
        stop: CancellationToken,
    ) -> Self {
        let request = ClaimRequest {
            worker_id: worker,
            queues: settings.queues.clone(),
            capabilities: settings.capabilities.clone(),
            limit: 1,
            lease: settings.lease.ttl,
        };
        Self { deps, request, hands, conclude, stop, under_way: TaskTracker::new() }
    }

    /// Waits for claims under way; afterwards every claimed order is in hand.
    pub(crate) async fn settled(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }

    /// Claims as many orders as slots are free, until there are some.
    async fn next(&self) -> Vec<Arc<Held>> {
        let mut failures = 0_u32;
        let mut woken = false;
        while !self.stop.is_cancelled() {
            match self.claim().await {
                Ok(orders) => {
                    failures = 0;
                    if woken {
                        let kind = if orders.is_empty() { "empty" } else { "work" };
                        self.deps.metrics.wakeups.with_label_values(&[kind]).inc();
                    }
                    if !orders.is_empty() {
                        return orders;
                    }
                    tokio::select! {
                        () = self.deps.queue.wait(&self.request, SAFETY_POLL) => woken = true,
                        () = self.stop.cancelled() => {}
                    }
                }
                Err(problem) => {
                    failures = failures.saturating_add(1);
                    let pause = CLAIM_BACKOFF.backoff(failures, rand::random::<f64>().max(0.1));
                    warn!(%problem, failures, pause_ms = pause.as_millis(), "Cannot claim orders; trying again");
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
            }
        }
        Vec::new()
    }

    /// One claim, run to its end even when nobody waits for it any more.
    async fn claim(&self) -> Result<Vec<Arc<Held>>, String> {
        let this = self.clone();
        let claim = self.under_way.spawn(async move { this.claim_once().await });
        claim.await.unwrap_or_else(|error| Err(format!("the claim panicked: {error}")))
    }

    async fn claim_once(&self) -> Result<Vec<Arc<Held>>, String> {
        let limit = self.hands.free().min(ClaimRequest::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let request = ClaimRequest { limit, ..self.request.clone() };
        let sent_at = Instant::now();
        let now = self.deps.clock.now();
        // A claim that takes longer than its lease is worth nothing.
        let claimed = timeout(self.request.lease, self.deps.queue.claim(&request, now)).await;
        self.deps.metrics.claim.with_label_values::<&str>(&[]).observe(sent_at.elapsed().as_secs_f64());
        let orders = claimed.map_err(|_| "the claim took longer than a lease".to_owned())?;
        let orders = orders.map_err(|error| chain(&error))?;
        self.deps.metrics.claim_batch.with_label_values::<&str>(&[]).observe(orders.len() as f64);
        Ok(orders.into_iter().map(|order| self.take(order, sent_at + self.request.lease, now)).collect())
    }

    fn take(&self, order: ClaimedOrder, lease_until: Instant, now: Timestamp) -> Arc<Held> {
        let waited = now.since(order.order.run_at).as_secs_f64();
        self.deps.metrics.order_wait.with_label_values(&[order.order.priority.as_str()]).observe(waited);
        debug!(order.id = %order.order.id, epoch = %order.order.epoch, "Claimed an order");
        self.hands.take(order, lease_until)
    }

    /// Hands back what is in hand and nobody works on.
    pub(crate) async fn hand_back(&self, orders: Vec<Arc<Held>>) {
        for held in orders {
            self.conclude.write(&held, Verdict::Released { reason: EndReason::Released }).await;
        }
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Persistence for Claims {
    type Compact = Arc<Held>;
    type Response = ();
    type Error = Infallible;

    async fn register(&mut self, _worker: &WorkerContext) -> Result<(), Infallible> {
        Ok(())
    }

    async fn heartbeat(&mut self, _worker: &WorkerContext) -> Result<(), Infallible> {
        Ok(())
    }

    async fn fetch_next(&mut self, _worker: &WorkerContext) -> Result<Vec<Task<Arc<Held>>>, Infallible> {
        let task = |held: Arc<Held>| {
            let id = TaskId::from_string(held.fence().to_string());
            TaskBuilder::new(Arc::clone(&held)).task_id(id).data(held).build()
        };
        Ok(self.next().await.into_iter().map(task).collect())
    }

    async fn reenqueue_abandoned(
        &mut self,
        tasks: Vec<Task<Arc<Held>>>,
        _worker: &WorkerContext,
    ) -> Result<u64, Infallible> {
        let count = tasks.len() as u64;
        self.hand_back(tasks.into_iter().map(|task| task.args).collect()).await;
        Ok(count)
    }

    async fn handle_events(&mut self, _events: Vec<TaskEvent<()>>, _worker: &WorkerContext) -> Result<(), Infallible> {
        Ok(())
    }

    async fn push_tasks(&mut self, _tasks: Vec<Task<Arc<Held>>>) -> Result<(), Infallible> {
        // Orders enter by the record's own transactions, never through a worker.
        Ok(())
    }
}

/// [`Persisted`] claims as a backend. Orders stay in memory, so there is no codec.
pub(crate) struct OrderBackend(Persisted<Claims>);

impl OrderBackend {
    pub(crate) fn new(claims: Claims) -> Self {
        Self(Persisted::new(claims))
    }
}

impl Backend for OrderBackend {
    type Task = Task<Arc<Held>>;
    type Error = Infallible;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx, worker, NEVER)
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.0.poll_next(cx, worker)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.0.poll_close(cx, worker)
    }
}

impl BackendConfig for OrderBackend {
    type Args = Arc<Held>;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
