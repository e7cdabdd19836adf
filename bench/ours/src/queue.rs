//! The record and the queue that the options name.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Result, bail};
use shopfloor_bench_kit::Args;
use shopfloor_queue::{Queue, SqlQueue};
use shopfloor_store::{Settings, Store};

/// Opens the record at `--url` (migrating it) and the queue that `--queue` names.
pub(crate) async fn open(args: &Args) -> Result<(Store, Arc<dyn Queue>)> {
    let settings = Settings {
        database_url: args.text("url")?.to_owned(),
        blob_dir: PathBuf::from(args.text("out")?).join("blobs"),
        max_connections: u32::try_from(args.number_or("connections", 20)?)?,
    };
    let store = Store::open(&settings).await?;
    let queue: Arc<dyn Queue> = match args.text_or("queue", "sql") {
        "sql" => Arc::new(SqlQueue::new(store.clone())),
        other => bail!("unknown queue `{other}`"),
    };
    Ok((store, queue))
}
