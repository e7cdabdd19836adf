//! A shop floor whose clock stands still until it is moved.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use shopfloor_domain::{
    Capabilities, Clock, TaskId, Timestamp, WorkerId, event::EventKind, order::OrderStatus, time::ManualClock,
};
use shopfloor_events::EventLog;
use shopfloor_orchestrator::{Deps, Loop, Settings};
use shopfloor_queue::SqlQueue;
use shopfloor_store::{
    PageRequest, Store,
    events::{Cursor, Event, EventFilter},
    orders::{self, ClaimRequest, ClaimedOrder, Order},
    tasks::{self, NewTask},
    workers,
};
use shopfloor_telemetry::Metrics;
use shopfloor_testkit::{T0, TestStore, new_task, soon};
use tokio_util::sync::CancellationToken;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// A record, a clock, and what an orchestrator is given.
pub(crate) struct Floor {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) deps: Deps,
    pub(crate) settings: Settings,
}

impl Floor {
    pub(crate) fn new(store: &Store) -> Self {
        Self::with_clock(store, Arc::new(ManualClock::at(T0)))
    }

    fn with_clock(store: &Store, clock: Arc<ManualClock>) -> Self {
        let deps = Deps {
            store: store.clone(),
            queue: Arc::new(SqlQueue::new(store.clone())),
            clock: clock.clone(),
            metrics: Metrics::new(),
        };
        Self { clock, deps, settings: Settings::default() }
    }

    /// The same floor as another orchestrator process sees it: own connections, same clock.
    pub(crate) async fn neighbour(&self, store: &TestStore) -> Self {
        Self::with_clock(&store.reopen().await, self.clock.clone())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.deps.store
    }

    pub(crate) async fn worker(&self) -> WorkerId {
        let worker = shopfloor_testkit::worker();
        workers::register(self.store(), worker, self.clock.now()).await.unwrap().id
    }

    pub(crate) async fn submit(&self, titles: &[&str]) -> Vec<TaskId> {
        self.submit_all(titles.iter().map(|title| new_task(title)).collect()).await
    }

    pub(crate) async fn submit_all(&self, tasks: Vec<NewTask>) -> Vec<TaskId> {
        let submitted = tasks::submit_bulk(self.store(), tasks, self.clock.now()).await.unwrap();
        let orders: Vec<_> = submitted.iter().map(|submitted| submitted.order_id).collect();
        self.deps.queue.publish(&orders, self.clock.now()).await.unwrap();
        submitted.iter().map(|submitted| submitted.task.id).collect()
    }

    pub(crate) fn request(&self, worker_id: WorkerId, limit: u32, lease: Duration) -> ClaimRequest {
        ClaimRequest { worker_id, queues: vec![], capabilities: Capabilities::default(), limit, lease }
    }

    /// Claims up to `limit` orders with a lease of this length.
    pub(crate) async fn claim(&self, worker: WorkerId, limit: u32, lease: Duration) -> Vec<ClaimedOrder> {
        let request = self.request(worker, limit, lease);
        self.deps.queue.claim(&request, self.clock.now()).await.unwrap()
    }

    /// Submits a task and lets a new worker claim it.
    pub(crate) async fn busy(&self, lease: Duration) -> ClaimedOrder {
        self.submit(&["busy"]).await;
        let worker = self.worker().await;
        self.claim(worker, 1, lease).await.pop().expect("the order is claimed")
    }

    pub(crate) async fn order(&self, claimed: &ClaimedOrder) -> Order {
        orders::get(self.store(), claimed.order.id).await.unwrap()
    }

    /// How many orders stand where; those that are nowhere are left out.
    pub(crate) async fn counts(&self) -> Vec<(OrderStatus, u64)> {
        let counts = tasks::count_orders(self.store()).await.unwrap();
        counts.into_iter().filter(|(_, orders)| *orders > 0).collect()
    }

    /// How many events of this kind have `value` as the value of `key`.
    pub(crate) async fn events(&self, kind: EventKind, key: &str, value: &str) -> usize {
        let log = self.log().await;
        log.iter().filter(|event| event.kind == kind && event.payload[key] == value).count()
    }

    /// The event log until now. While a transaction runs anywhere on the server, its end is not shown; so this waits for
    /// an event of its own, before which nothing can appear any more.
    async fn log(&self) -> Vec<Event> {
        let marker = self.worker().await.to_string();
        let log = EventLog::new(self.store().clone());
        let log = log.follow(Cursor::START, EventFilter::default(), CancellationToken::new());
        let until_marked = log.map(Result::unwrap).take_while(|event| {
            let marks = event.kind == EventKind::WorkerStatus && event.payload["worker_id"] == *marker;
            std::future::ready(!marks)
        });
        soon("the event log to be settled", until_marked.collect()).await
    }

    /// The value of a counter or gauge in this floor's metrics; zero when it was never touched.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let rendered = self.deps.metrics.render().unwrap();
        let value = rendered.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

/// Passes until nothing is left, as the runner does. Returns how many rows were moved.
pub(crate) async fn settle(looped: &dyn Loop) -> u64 {
    let mut done = 0;
    loop {
        let work = looped.pass().await.unwrap();
        done += work.done;
        if !work.more {
            return done;
        }
    }
}

/// Two orchestrators settle at once. Returns how many rows they moved together.
pub(crate) async fn settle_both(one: &dyn Loop, other: &dyn Loop) -> u64 {
    let (one, other) = tokio::join!(settle(one), settle(other));
    one + other
}

/// One page with everything a test makes.
pub(crate) fn everything() -> PageRequest {
    PageRequest { after: None, limit: PageRequest::MAX }
}
