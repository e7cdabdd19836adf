//! How long a claim takes behind a long backlog.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;
use shopfloor_bench_kit::{Args, say};
use shopfloor_domain::{Capabilities, Clock as _, WorkerId, lease::LeasePolicy, session::EndReason, time::SystemClock};
use shopfloor_store::{
    orders::{ClaimRequest, Verdict},
    workers::{self, NewWorker},
};

use crate::queue;

/// `--n` claims of one order each, each handed back; prints the milliseconds of each.
pub(crate) async fn measure(args: &Args) -> Result<()> {
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
    let mut times = Vec::new();
    for _ in 0..args.number("n")? {
        let begin = Instant::now();
        let claimed = queue.claim(&request, SystemClock.now()).await?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        ensure!(!claimed.is_empty(), "the backlog is empty");
        for order in claimed {
            let back = Verdict::Released { reason: EndReason::Released };
            queue.finish(order.fence(), back, SystemClock.now()).await?;
        }
    }
    say(&json!({ "milliseconds": times }));
    Ok(())
}
