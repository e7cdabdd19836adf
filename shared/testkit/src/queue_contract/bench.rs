//! What a case works with.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use shopfloor_domain::{
    Clock, Fence, Name, OrderId, Priority, ProjectId, RunId, Timestamp, WorkerId, backoff::RetryPolicy,
    order::OrderStatus, step::StepKind, time::ManualClock,
};
use shopfloor_queue::{Drift, Fairness, Queue, RedisQueue, RedisSettings, SqlQueue};
use shopfloor_store::{
    orders::{self, ClaimRequest, ClaimedOrder, Order, Rescued, Verdict},
    projects::{self, Limits},
    questions::{NewQuestion, Question},
    steps::{self, BeginStep},
    tasks::{self, NewTask, Submitted},
    workers,
};

use crate::{Backend, RedisServer, T0, TestStore, new_task, soon, worker};

/// How long a claim of a case lasts.
pub const LEASE: Duration = Duration::from_secs(10);
/// The retry policy of the cases.
pub const POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_secs(1), max: Duration::from_secs(60), max_attempts: 3, max_kills: 3 };

/// A fresh record, a queue on it and a clock that stands at [`T0`].
#[derive(Clone)]
pub struct Bench {
    /// The record.
    pub store: Arc<TestStore>,
    /// The queue under test.
    pub queue: Arc<dyn Queue>,
    /// Moved by the case only.
    pub clock: Arc<ManualClock>,
    /// The Redis behind the queue, if there is one.
    pub redis: Option<Arc<Mutex<RedisServer>>>,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("mode", &self.queue.mode()).field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A bench panics where its case would: when a call fails.
impl Bench {
    /// A bench with any queue.
    pub fn new(store: TestStore, queue: Arc<dyn Queue>) -> Self {
        Self { store: Arc::new(store), queue, clock: Arc::new(ManualClock::at(T0)), redis: None }
    }

    /// A bench with the queue on SQL alone.
    pub async fn sql(backend: Backend) -> Self {
        let store = crate::store(backend).await;
        let queue = Arc::new(SqlQueue::new(store.clone()));
        Self::new(store, queue)
    }

    /// A bench with the queue on a Redis of its own, connected and complete.
    pub async fn redis(backend: Backend, fairness: Fairness) -> Self {
        let (store, redis) = (crate::store(backend).await, RedisServer::start());
        let settings = RedisSettings { url: redis.url(), namespace: Name::DEFAULT, fairness };
        let queue = RedisQueue::connect(store.clone(), &settings).expect("the test's Redis URL");
        let redis = Some(Arc::new(Mutex::new(redis)));
        let bench = Self { redis, ..Self::new(store, Arc::new(queue)) };
        bench.filled().await;
        bench
    }

    /// Waits until the queue on Redis is connected, and fills it from the record. Returns what was missing.
    pub async fn filled(&self) -> u64 {
        soon("a complete queue on Redis", async {
            loop {
                match self.queue.reconcile(self.now()).await.expect("reconciling") {
                    Drift { filled: true, missing } => return missing,
                    // The connection is made by a task of the queue's own, and nobody tells when.
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
        .await
    }

    /// Does something to the Redis behind the queue.
    pub fn with_redis<T>(&self, act: impl FnOnce(&mut RedisServer) -> T) -> T {
        let redis = self.redis.as_ref().expect("a bench with Redis");
        act(&mut redis.lock().expect("the test's Redis"))
    }

    /// The time on the clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Submits and publishes a task.
    pub async fn submit(&self, new: NewTask) -> Submitted {
        let submitted = tasks::submit(&self.store, new, self.now()).await.expect("submitting");
        self.publish(&[submitted.order_id]).await;
        submitted
    }

    /// Submits and publishes a plain task of this priority; returns its order.
    pub async fn submit_with(&self, priority: Priority) -> OrderId {
        self.submit(NewTask { priority, ..new_task("a task") }).await.order_id
    }

    /// Submits and publishes a plain task; returns its order.
    pub async fn submit_one(&self) -> OrderId {
        self.submit_with(Priority::Normal).await
    }

    /// Publishes orders.
    pub async fn publish(&self, orders: &[OrderId]) {
        self.queue.publish(orders, self.now()).await.expect("publishing");
    }

    /// Registers a worker that covers `needs` and serves every queue; returns what it asks for, one order at a time.
    pub async fn worker_with(&self, needs: &str) -> ClaimRequest {
        let capabilities = crate::capabilities(needs);
        let new = workers::NewWorker { capabilities: capabilities.clone(), ..worker() };
        let known = workers::register(&self.store, new, self.now()).await.expect("registering a worker");
        ClaimRequest { worker_id: known.id, queues: Vec::new(), capabilities, limit: 1, lease: LEASE }
    }

    /// Registers a worker without capabilities.
    pub async fn worker(&self) -> ClaimRequest {
        self.worker_with("").await
    }

    /// Claims.
    pub async fn claim(&self, request: &ClaimRequest) -> Vec<ClaimedOrder> {
        self.queue.claim(request, self.now()).await.expect("claiming")
    }

    /// Claims one order, which must be there.
    pub async fn claim_one(&self, request: &ClaimRequest) -> ClaimedOrder {
        let mut claimed = self.claim(&ClaimRequest { limit: 1, ..request.clone() }).await;
        assert_eq!(claimed.len(), 1, "an order should have been claimable");
        claimed.remove(0)
    }

    /// Claims as many orders as there are, one at a time, and returns their ids in that order.
    pub async fn drain(&self, request: &ClaimRequest) -> Vec<OrderId> {
        let mut ids = Vec::new();
        while let Some(claimed) = self.claim(&ClaimRequest { limit: 1, ..request.clone() }).await.first() {
            ids.push(claimed.order.id);
        }
        ids
    }

    /// Ends a claim.
    pub async fn finish(&self, fence: Fence, verdict: Verdict) -> Order {
        self.queue.finish(fence, verdict, self.now()).await.expect("finishing")
    }

    /// Completes a claim.
    pub async fn complete(&self, fence: Fence) -> Order {
        self.finish(fence, completed()).await
    }

    /// Takes back expired orders, without jitter.
    pub async fn rescue(&self) -> Vec<Rescued> {
        self.queue.rescue(&POLICY, 0.0, 100, self.now()).await.expect("rescuing")
    }

    /// The order as recorded.
    pub async fn order(&self, id: OrderId) -> Order {
        orders::get(&self.store, id).await.expect("reading an order")
    }

    /// Where the order stands.
    pub async fn status(&self, id: OrderId) -> OrderStatus {
        self.order(id).await.status
    }

    /// Makes a project or changes its limit.
    pub async fn project(&self, name: &Name, limit: Option<u32>) -> ProjectId {
        projects::put(&self.store, name, Limits::concurrency(limit), self.now()).await.expect("making a project").id
    }

    /// Makes a project that may start so many orders per minute, or changes its rate.
    pub async fn paced_project(&self, name: &Name, per_minute: Option<u32>) -> ProjectId {
        self.limited_project(name, None, per_minute).await
    }

    /// Makes a project with these limits, or changes them.
    pub async fn limited_project(&self, name: &Name, at_once: Option<u32>, per_minute: Option<u32>) -> ProjectId {
        let limits = Limits { max_concurrency: at_once, max_starts_per_minute: per_minute };
        projects::put(&self.store, name, limits, self.now()).await.expect("making a project").id
    }

    /// Begins a step at this place of the run and puts a question.
    pub async fn ask(&self, fence: Fence, run: RunId, place: u32) -> Question {
        let begin = BeginStep {
            order_index: place,
            name: format!("ask-{place}"),
            kind: StepKind::Ask,
            agent_name: None,
            round: 0,
            input: json!({}),
        };
        let now = self.now();
        let step = steps::begin(&self.store, fence, run, begin, now).await.expect("beginning a step");
        steps::ask(&self.store, fence, step.id, question(now), now).await.expect("asking")
    }
}

/// A verdict.
#[must_use]
pub fn completed() -> Verdict {
    Verdict::Completed { result: json!({ "ok": true }) }
}

/// A verdict.
#[must_use]
pub fn retry(after: Duration) -> Verdict {
    Verdict::Retry { error: "it went wrong".to_owned(), after }
}

/// The claim of nobody in particular.
#[must_use]
pub fn stranger() -> WorkerId {
    WorkerId::new()
}

fn question(now: Timestamp) -> NewQuestion {
    NewQuestion {
        kind: shopfloor_domain::question::QuestionKind::Clarification,
        prompt: "Which column?".to_owned(),
        schema: serde_json::Value::Null,
        options: vec![json!("a"), json!("b")],
        audience: "operators".to_owned(),
        default: Some(json!("a")),
        on_deadline: shopfloor_domain::question::OnDeadline::Default,
        deadline_at: now + shopfloor_domain::question::DEFAULT_DEADLINE,
    }
}
