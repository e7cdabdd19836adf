//! How long a claim takes behind a long backlog, and how long dispatch stands still when Redis is emptied.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use shopfloor_bench_kit::{Args, now_ns, say};
use shopfloor_domain::{Capabilities, Clock as _, WorkerId, lease::LeasePolicy, session::EndReason, time::SystemClock};
use shopfloor_queue::Queue;
use shopfloor_store::{
    Store,
    orders::{ClaimRequest, Verdict},
    workers::{self, NewWorker},
};

use crate::queue;

/// One claim after another, each handed back.
struct Claimer {
    store: Store,
    queue: Arc<dyn Queue>,
    request: ClaimRequest,
}

impl Claimer {
    async fn open(args: &Args) -> Result<Self> {
        let (store, queue) = queue::open(args).await?;
        let worker_id = WorkerId::new();
        let new = NewWorker {
            id: worker_id,
            name: "bench".to_owned(),
            capabilities: Capabilities::default(),
            queues: Vec::new(),
            slots: 1,
            version: "bench".to_owned(),
        };
        workers::register(&store, new, SystemClock.now()).await?;
        let lease = LeasePolicy::default().ttl;
        let request =
            ClaimRequest { worker_id, queues: Vec::new(), capabilities: Capabilities::default(), limit: 1, lease };
        Ok(Self { store, queue, request })
    }

    /// How long the claim took.
    async fn claim(&self) -> Result<Duration> {
        let begin = Instant::now();
        let claimed = self.queue.claim(&self.request, SystemClock.now()).await?;
        let took = begin.elapsed();
        ensure!(!claimed.is_empty(), "the backlog is empty");
        for order in claimed {
            let back = Verdict::Released { reason: EndReason::Released };
            self.queue.finish(order.fence(), back, SystemClock.now()).await?;
        }
        Ok(took)
    }
}

/// `--n` claims of one order each; prints the milliseconds of each.
pub(crate) async fn measure(args: &Args) -> Result<()> {
    let claimer = Claimer::open(args).await?;
    let mut times = Vec::new();
    for _ in 0..args.number("n")? {
        times.push(claimer.claim().await?.as_secs_f64() * 1e3);
    }
    say(&json!({ "milliseconds": times }));
    Ok(claimer.store.close().await?)
}

/// Claims until dispatch has left Redis and come back, `--patience` seconds at most; somebody else empties Redis meanwhile.
/// Prints when each claim began and ended, and `true` when dispatch went through Redis after it.
pub(crate) async fn through(args: &Args) -> Result<()> {
    let claimer = Claimer::open(args).await?;
    let (patience, begin) = (Duration::from_secs(args.number("patience")?), Instant::now());
    say(&json!({ "ready": true }));
    let (mut claims, mut left) = (Vec::new(), false);
    while begin.elapsed() < patience {
        let began = now_ns();
        claimer.claim().await?;
        let through_redis = claimer.queue.mode() == "redis";
        claims.push(json!([began, now_ns(), through_redis]));
        if left && through_redis {
            break;
        }
        left |= !through_redis;
    }
    say(&json!({ "claims": claims }));
    Ok(claimer.store.close().await?)
}
