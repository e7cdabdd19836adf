//! The driver of graphile_worker (Rust).
//!
//! Fast settings: the "throughput-oriented worker" of its documentation: local queue of 100, completions batched for
//! 5 ms, `add_jobs` for bulk.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions,
};
use serde::{Deserialize, Serialize};
use shopfloor_bench_kit::{Args, Payload, Recorder, paced, timed, until_terminated};
use sqlx::postgres::PgPoolOptions;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Noop(Payload);

#[derive(Debug, Clone)]
struct Recording(Arc<Recorder>);

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(recording) = context.get_ext::<Recording>() else { return Err("no recorder".to_owned()) };
        recording.0.started(self.0.t);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse()?;
    let slots = usize::try_from(args.number_or("slots", 16)?)?;
    let pool = PgPoolOptions::new().max_connections(20).connect(args.text("url")?).await?;
    let recorder = Arc::new(Recorder::create(args.text("out")?)?);
    let worker = WorkerOptions::default()
        .concurrency(slots)
        .poll_interval(Duration::from_millis(500))
        .complete_job_batch_delay(Duration::from_millis(5))
        .fail_job_batch_delay(Duration::from_millis(5))
        .local_queue(LocalQueueConfig::default().with_size(100).with_ttl(Duration::from_secs(60)))
        .add_extension(Recording(recorder))
        .define_job::<Noop>()
        .pg_pool(pool)
        .init()
        .await?;
    let utils = worker.create_utils();
    match args.command.as_str() {
        "setup" => Ok(()),
        "enqueue" => {
            let (n, bulk) = (args.number("n")?, args.number_or("bulk", 1)?);
            timed(n, async {
                let spec = JobSpec::default();
                let mut left = n;
                while left > 0 {
                    let now = left.min(bulk);
                    if now == 1 {
                        utils.add_job(Noop(Payload::now()), JobSpec::default()).await?;
                    } else {
                        let jobs: Vec<_> = (0..now).map(|_| (Noop(Payload::now()), &spec)).collect();
                        utils.add_jobs::<Noop>(&jobs).await?;
                    }
                    left -= now;
                }
                Ok(())
            })
            .await
        }
        "paced" => {
            let (n, rate) = (args.number("n")?, args.text("rate")?.parse()?);
            let utils = &utils;
            timed(
                n,
                paced(n, rate, || async move {
                    utils.add_job(Noop(Payload::now()), JobSpec::default()).await?;
                    Ok(())
                }),
            )
            .await
        }
        "worker" => tokio::select! {
            ran = worker.run() => Ok(ran?),
            stopped = until_terminated() => stopped,
        },
        other => bail!("unknown command `{other}`"),
    }
}
