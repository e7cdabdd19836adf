//! The driver of apalis-redis.
//!
//! Fast settings: `push_bulk` (one script call for a batch), fetching in batches, no task locks and no results ("can be
//! turned off for tasks that last shorter than a worker heartbeat", says its documentation), tasks spawned on the runtime.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Result, bail};
use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use shopfloor_bench_kit::{Args, Payload, Recorder, paced, timed, until_terminated};

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse()?;
    let connection = apalis_redis::connect(args.text("url")?).await?;
    let slots = usize::try_from(args.number_or("slots", 16)?)?;
    let config = Config::default()
        .queue("bench")
        .batch_size(slots * 4)
        .lock_tasks(false)
        .persist_results(false)
        .emit_events(false);
    let mut storage = RedisStorage::<Payload>::new(connection).with_config(config);
    match args.command.as_str() {
        "setup" => Ok(()),
        "enqueue" => {
            let (n, bulk) = (args.number("n")?, args.number_or("bulk", 1)?);
            timed(n, async {
                let mut left = n;
                while left > 0 {
                    let now = left.min(bulk);
                    if now == 1 {
                        storage.push(Payload::now()).await?;
                    } else {
                        storage.push_bulk((0..now).map(|_| Payload::now()).collect()).await?;
                    }
                    left -= now;
                }
                Ok(())
            })
            .await
        }
        "paced" => {
            let (n, rate) = (args.number("n")?, args.text("rate")?.parse()?);
            timed(
                n,
                paced(n, rate, || {
                    let mut storage = storage.clone();
                    async move { Ok(storage.push(Payload::now()).await?) }
                }),
            )
            .await
        }
        "worker" => {
            let recorder = Arc::new(Recorder::create(args.text("out")?)?);
            let worker = WorkerBuilder::new(format!("bench-{}", std::process::id()))
                // Its storage has no wake-up call of its own.
                .backend(storage.poll_with_strategy(every(args.number_or("poll", 10)?)))
                .data(recorder)
                .concurrency(slots)
                .parallelize(tokio::spawn)
                .build(noop);
            tokio::select! {
                ran = worker.run() => Ok(ran?),
                stopped = until_terminated() => stopped,
            }
        }
        other => bail!("unknown command `{other}`"),
    }
}

async fn noop(payload: Payload, recorder: Data<Arc<Recorder>>) -> Result<(), BoxDynError> {
    recorder.started(payload.t);
    Ok(())
}

/// A poll that keeps its waker. `IntervalStrategy` of apalis-core 1.0 forgets it when a tick is due at the moment of the
/// look: the worker then sleeps until its next heartbeat, up to 30 s.
struct Every(tokio::time::Interval);

fn every(milliseconds: u64) -> Every {
    Every(tokio::time::interval(Duration::from_millis(milliseconds.max(1))))
}

impl PollStrategy for Every {
    fn poll_drive(&mut self, context: &mut Context<'_>, _snapshot: &PollSnapshot) -> Poll<Option<()>> {
        self.0.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.0.poll_tick(context).is_ready() {}
        Poll::Pending
    }
}
