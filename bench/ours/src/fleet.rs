//! One worker: claims in batches, runs `--slots` orders at once, holds `--prefetch` more, renews its leases.
//!
//! With `--hold 1` its orders never end, until somebody kills it; with `--rescue 1` it takes back expired leases, as the
//! orchestrator does.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use serde_json::json;
use shopfloor_bench_kit::{Args, Payload, Recorder};
use shopfloor_domain::{
    Capabilities, Clock as _, Fence, WorkerId, backoff::RetryPolicy, lease::LeasePolicy, time::SystemClock,
};
use shopfloor_queue::Queue;
use shopfloor_store::{
    orders::{ClaimRequest, ClaimedOrder, Verdict},
    workers::{self, NewWorker},
};
use tokio::sync::Semaphore;

use crate::{queue, room};

/// As often as the orchestrator does.
const RESCUE_EVERY: Duration = Duration::from_secs(1);

struct Worker {
    queue: Arc<dyn Queue>,
    request: ClaimRequest,
    recorder: Recorder,
    held: Mutex<HashSet<Fence>>,
    /// Orders that run.
    slots: Semaphore,
    /// Orders in hand, running or not.
    room: Arc<Semaphore>,
    /// Whether orders never end.
    hold: bool,
}

/// Works until SIGTERM.
pub(crate) async fn worker(args: &Args) -> Result<()> {
    let (store, queue) = queue::open(args).await?;
    let slots = usize::try_from(args.number("slots")?)?;
    let in_hand = slots + usize::try_from(args.number_or("prefetch", 0)?)?;
    let id = WorkerId::new();
    let new = NewWorker {
        id,
        name: "bench".to_owned(),
        capabilities: Capabilities::default(),
        queues: Vec::new(),
        slots: u32::try_from(slots)?,
        version: "bench".to_owned(),
    };
    workers::register(&store, new, SystemClock.now()).await?;
    let lease = LeasePolicy::default();
    let request = ClaimRequest {
        worker_id: id,
        queues: Vec::new(),
        capabilities: Capabilities::default(),
        limit: 1,
        lease: lease.ttl,
    };
    let worker = Arc::new(Worker {
        queue,
        request,
        recorder: Recorder::create(args.text("out")?)?,
        held: Mutex::default(),
        slots: Semaphore::new(slots),
        room: Arc::new(Semaphore::new(in_hand)),
        hold: args.number_or("hold", 0)? > 0,
    });
    let rescues = args.number_or("rescue", 0)? > 0;
    tokio::select! {
        worked = claim_for_ever(&worker, in_hand) => worked,
        renewed = renew_for_ever(&worker, lease.renew_every) => renewed,
        rescued = rescue_for_ever(&worker), if rescues => rescued,
        stopped = shopfloor_bench_kit::until_terminated() => stopped,
    }
}

async fn claim_for_ever(worker: &Arc<Worker>, in_hand: usize) -> Result<()> {
    loop {
        let mut room = room::take(&worker.room, in_hand).await?;
        let limit = u32::try_from(room.num_permits())?.min(ClaimRequest::MAX);
        let request = ClaimRequest { limit, ..worker.request.clone() };
        let claimed = worker.queue.claim(&request, SystemClock.now()).await?;
        if claimed.is_empty() {
            worker.queue.wait(&request, Duration::from_secs(5)).await;
            continue;
        }
        for order in claimed {
            let Some(place) = room.split(1) else { break };
            let worker = Arc::clone(worker);
            tokio::spawn(async move {
                if let Err(error) = worker.work(order).await {
                    eprintln!("an order failed: {error:#}");
                }
                drop(place);
            });
        }
    }
}

impl Worker {
    async fn work(&self, claimed: ClaimedOrder) -> Result<()> {
        let fence = claimed.fence();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(fence);
        let slot = self.slots.acquire().await?;
        let payload: Payload = serde_json::from_value(claimed.run.input)?;
        self.recorder.started(payload.t);
        if self.hold {
            std::future::pending::<()>().await;
        }
        drop(slot);
        let verdict = Verdict::Completed { result: json!({ "ok": true }) };
        let finished = self.queue.finish(fence, verdict, SystemClock.now()).await;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&fence);
        finished?;
        Ok(())
    }
}

async fn renew_for_ever(worker: &Worker, every: Duration) -> Result<()> {
    loop {
        tokio::time::sleep(every).await;
        let held: Vec<Fence> = {
            let held = worker.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.iter().copied().collect()
        };
        if !held.is_empty() {
            let id = worker.request.worker_id;
            worker.queue.renew(id, &held, worker.request.lease, SystemClock.now()).await?;
        }
    }
}

async fn rescue_for_ever(worker: &Worker) -> Result<()> {
    loop {
        worker.queue.rescue(&RetryPolicy::default(), 0.0, 100, SystemClock.now()).await?;
        tokio::time::sleep(RESCUE_EVERY).await;
    }
}
