//! The record and the queue that the options name.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use shopfloor_bench_kit::Args;
use shopfloor_domain::{Clock as _, Name, time::SystemClock};
use shopfloor_queue::{Fairness, Queue, RedisQueue, RedisSettings, SqlQueue};
use shopfloor_store::{Settings, Store};

/// As often as the orchestrator does.
const RECONCILE_EVERY: Duration = Duration::from_millis(500);

/// Opens the record at `--url` (migrating it) and the queue that `--queue` names; `redis` is at `--redis-url`.
pub(crate) async fn open(args: &Args) -> Result<(Store, Arc<dyn Queue>)> {
    let settings = Settings {
        database_url: args.text("url")?.to_owned(),
        blob_dir: PathBuf::from(args.text("out")?).join("blobs"),
        max_connections: u32::try_from(args.number_or("connections", 20)?)?,
    };
    let store = Store::open(&settings).await?;
    let queue: Arc<dyn Queue> = match args.text_or("queue", "sql") {
        "sql" => Arc::new(SqlQueue::new(store.clone())),
        "redis" => redis(args.text("redis-url")?, &store).await?,
        other => bail!("unknown queue `{other}`"),
    };
    Ok((store, queue))
}

/// The queue on Redis, complete, and held against the record from now on.
async fn redis(url: &str, store: &Store) -> Result<Arc<dyn Queue>> {
    let settings = RedisSettings { url: url.to_owned(), namespace: Name::DEFAULT, fairness: Fairness::Projects };
    let queue: Arc<dyn Queue> = Arc::new(RedisQueue::connect(store.clone(), &settings)?);
    while queue.mode() != "redis" {
        queue.reconcile(SystemClock.now()).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reconciled = Arc::clone(&queue);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(RECONCILE_EVERY).await;
            if let Err(error) = reconciled.reconcile(SystemClock.now()).await {
                eprintln!("reconciling: {error}");
            }
        }
    });
    Ok(queue)
}
