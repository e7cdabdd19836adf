//! Submitting, as the API does it: record in one transaction, then publish.

use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use shopfloor_bench_kit::{Args, Payload};
use shopfloor_domain::{Capabilities, Clock as _, Name, Priority, task::TaskType, time::SystemClock};
use shopfloor_queue::Queue;
use shopfloor_store::{
    Store,
    orders::Place,
    tasks::{self, NewTask},
};
use tokio::task::JoinSet;

use crate::queue;

/// `--n` tasks in calls of `--bulk`, from `--clients` callers at once.
pub(crate) async fn enqueue(args: &Args) -> Result<()> {
    let (store, queue) = queue::open(args).await?;
    let (n, bulk, clients) = (args.number("n")?, args.number_or("bulk", 1)?, args.number_or("clients", 1)?);
    shopfloor_bench_kit::timed(n, async {
        let mut callers = JoinSet::new();
        for client in 0..clients {
            let (store, queue) = (store.clone(), Arc::clone(&queue));
            let mut left = n / clients + u64::from(client < n % clients);
            callers.spawn(async move {
                while left > 0 {
                    let now = left.min(bulk);
                    submit(&store, &*queue, now).await?;
                    left -= now;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = callers.join_next().await {
            done??;
        }
        Ok(())
    })
    .await?;
    // The last calls to sleeping workers are sent by then.
    Ok(store.close().await?)
}

/// `--n` tasks, one by one, `--rate` a second.
pub(crate) async fn paced(args: &Args) -> Result<()> {
    let (store, queue) = queue::open(args).await?;
    let (n, rate) = (args.number("n")?, args.text("rate")?.parse()?);
    shopfloor_bench_kit::timed(n, shopfloor_bench_kit::paced(n, rate, || submit(&store, &*queue, 1))).await?;
    Ok(store.close().await?)
}

async fn submit(store: &Store, queue: &dyn Queue, n: u64) -> Result<()> {
    let tasks = (0..n).map(|_| task()).collect::<Result<Vec<_>>>()?;
    let submitted = tasks::submit_bulk(store, tasks, SystemClock.now()).await?;
    let places: Vec<Place> = submitted.into_iter().filter_map(|submitted| submitted.place).collect();
    queue.publish_new(&places, SystemClock.now()).await?;
    Ok(())
}

fn task() -> Result<NewTask> {
    Ok(NewTask {
        project: Name::DEFAULT,
        title: "noop".to_owned(),
        description: String::new(),
        task_type: TaskType::Code,
        priority: Priority::Normal,
        repository_url: None,
        branch_name: None,
        pipeline: "noop".parse()?,
        pipeline_version: "1".to_owned(),
        definition: json!({}),
        input: serde_json::to_value(Payload::now())?,
        queue: Name::DEFAULT,
        needs: Capabilities::default(),
        run_at: None,
        max_attempts: 3,
        idempotency_key: None,
        created_by: "bench".to_owned(),
    })
}
