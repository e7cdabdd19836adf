//! Renewal in paused time, against a queue that says what a test wants.

use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use shopfloor_domain::{
    Capabilities, Epoch, Fence, Name, OrderId, Priority, ProjectId, RunId, SessionRowId, TaskId, Timestamp,
    backoff::RetryPolicy, order::OrderStatus, task::TaskStatus, time::ManualClock,
};
use shopfloor_queue::Queue;
use shopfloor_store::{
    Result, StoreError,
    orders::{ClaimRequest, ClaimedOrder, Order, QueueDepth, Rescued, Verdict},
    runs::Run,
};
use shopfloor_telemetry::Metrics;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::*;

const T0: Timestamp = Timestamp(1_767_225_600_000);

/// What the record answers to a renewal.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    All(Renewed),
    Error,
    Silence,
}

struct Scripted {
    answer: Mutex<Answer>,
    calls: Mutex<Vec<usize>>,
}

impl Scripted {
    fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), calls: Mutex::default() })
    }

    fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

#[async_trait]
impl Queue for Scripted {
    fn mode(&self) -> &'static str {
        "scripted"
    }
    async fn renew(&self, _: WorkerId, held: &[Fence], _: Duration, _: Timestamp) -> Result<Vec<Renewed>> {
        self.calls.lock().unwrap().push(held.len());
        let answer = *self.answer.lock().unwrap();
        match answer {
            Answer::All(outcome) => Ok(vec![outcome; held.len()]),
            Answer::Error => Err(StoreError::NotFound { kind: "database", id: "any".to_owned() }),
            Answer::Silence => std::future::pending().await,
        }
    }
    async fn publish(&self, _: &[OrderId], _: Timestamp) -> Result<()> {
        unreachable!("only renewals are tested here")
    }
    async fn claim(&self, _: &ClaimRequest, _: Timestamp) -> Result<Vec<ClaimedOrder>> {
        unreachable!("only renewals are tested here")
    }
    async fn wait(&self, _: &ClaimRequest, _: Duration) {
        unreachable!("only renewals are tested here")
    }
    async fn finish(&self, _: Fence, _: Verdict, _: Timestamp) -> Result<Order> {
        unreachable!("only renewals are tested here")
    }
    async fn rescue(&self, _: &RetryPolicy, _: f64, _: u32, _: Timestamp) -> Result<Vec<Rescued>> {
        unreachable!("only renewals are tested here")
    }
    async fn promote(&self, _: Timestamp) -> Result<Option<Timestamp>> {
        unreachable!("only renewals are tested here")
    }
    async fn withdraw(&self, _: &[OrderId]) -> Result<()> {
        unreachable!("only renewals are tested here")
    }
    async fn pause(&self, _: &Name, _: &str, _: Timestamp) -> Result<()> {
        unreachable!("only renewals are tested here")
    }
    async fn resume(&self, _: &Name, _: &str, _: Timestamp) -> Result<()> {
        unreachable!("only renewals are tested here")
    }
    async fn depth(&self, _: Timestamp) -> Result<Vec<QueueDepth>> {
        unreachable!("only renewals are tested here")
    }
}

fn claimed() -> ClaimedOrder {
    let order = Order {
        id: OrderId::new(),
        task_id: TaskId::new(),
        run_id: RunId::new(),
        project_id: ProjectId::new(),
        queue: Name::DEFAULT,
        worker_id: None,
        status: OrderStatus::Claimed,
        priority: Priority::Normal,
        score: 0,
        needs: Capabilities::default(),
        run_at: T0,
        enqueued_at: T0,
        claimed_at: Some(T0),
        completed_at: None,
        parked_at: None,
        lease_expires_at: None,
        cancel_requested_at: None,
        epoch: Epoch(1),
        attempt: 1,
        max_attempts: 3,
        retry_count: 0,
        kills: 0,
        error: None,
        requeued_as: None,
    };
    let run = Run {
        id: order.run_id,
        task_id: order.task_id,
        title: "a task".to_owned(),
        template: Name::DEFAULT,
        version: "1".to_owned(),
        definition: json!({}),
        input: json!({}),
        branch: None,
        status: TaskStatus::InProgress,
        created_at: T0,
        updated_at: T0,
    };
    ClaimedOrder { order, run, session_id: SessionRowId::new() }
}

struct Bench {
    queue: Arc<Scripted>,
    hands: Arc<Hands>,
    held: Arc<Held>,
    _task: AbortOnDropHandle<()>,
}

fn bench(answer: Answer) -> Bench {
    let lease = LeasePolicy::default();
    let queue = Scripted::new(answer);
    let hands = Hands::new(2, Metrics::new(), CancellationToken::new());
    let held = hands.take(claimed(), Instant::now() + lease.ttl);
    let clock = Arc::new(ManualClock::at(T0));
    let renewals = renew_leases(Arc::clone(&queue) as _, clock, WorkerId::new(), lease, Arc::clone(&hands));
    Bench { queue, hands, held, _task: AbortOnDropHandle::new(tokio::spawn(renewals)) }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn everything_in_hand_is_renewed_in_one_call() {
    let bench = bench(Answer::All(Renewed::Held));
    let other = bench.hands.take(claimed(), Instant::now() + Duration::from_secs(8));
    pass(60).await;
    assert_eq!((bench.held.why(), other.why()), (None, None));
    let calls = bench.queue.calls.lock().unwrap().clone();
    assert!(calls.len() >= 30 && calls.iter().all(|held| *held == 2), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_stops_at_once() {
    let bench = bench(Answer::All(Renewed::Held));
    pass(5).await;
    bench.queue.set(Answer::All(Renewed::Lost));
    bench.held.stop().cancelled().await;
    assert_eq!(bench.held.why(), Some(Why::Lost));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_order_stops_and_keeps_its_lease() {
    let bench = bench(Answer::All(Renewed::CancelRequested));
    bench.held.stop().cancelled().await;
    pass(60).await;
    assert_eq!(bench.held.why(), Some(Why::Cancelled));
    assert!(bench.held.lease_until() > Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_record_out_of_reach_for_a_whole_lease_makes_a_ghost() {
    for out_of_reach in [Answer::Error, Answer::Silence] {
        let bench = bench(Answer::All(Renewed::Held));
        pass(3).await;
        bench.queue.set(out_of_reach);
        pass(5).await;
        assert_eq!(bench.held.why(), None, "a lease lasts eight seconds");
        pass(6).await;
        assert_eq!(bench.held.why(), Some(Why::Lost));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_shorter_than_a_lease_costs_nothing() {
    let bench = bench(Answer::All(Renewed::Held));
    pass(3).await;
    bench.queue.set(Answer::Error);
    pass(5).await;
    bench.queue.set(Answer::All(Renewed::Held));
    pass(60).await;
    assert_eq!(bench.held.why(), None);
}

#[tokio::test(start_paused = true)]
async fn a_verdict_under_way_is_not_stopped() {
    let bench = bench(Answer::All(Renewed::Lost));
    bench.held.conclude();
    pass(20).await;
    assert_eq!(bench.held.why(), None);
}
