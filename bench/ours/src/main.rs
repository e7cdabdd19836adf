//! The driver of Shopfloor itself: submits through `tasks::submit`, works through `trait Queue`, as api and worker do.
//!
//! What a job costs here is what an order costs: task, run, conversation, order, session, execution and event log are
//! written, the input is read from the record, every write carries the epoch. Only pipeline and sandbox are left out, for
//! the job does nothing.

mod alone;
mod claims;
mod fleet;
mod queue;
mod room;
mod submit;

use anyhow::{Result, bail};
use shopfloor_bench_kit::Args;
use tokio::runtime::Builder;

fn main() -> Result<()> {
    let args = Args::parse()?;
    let alone = args.text_or("queue", "sql") == "redis-alone";
    // Without a record there is one connection and next to nothing to compute: a second thread would only pass it about.
    let mut runtime = if alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    runtime.enable_all().build()?.block_on(async {
        if alone {
            return alone::run(&args).await;
        }
        match args.command.as_str() {
            "setup" => queue::open(&args).await?.0.close().await.map_err(Into::into),
            "enqueue" => submit::enqueue(&args).await,
            "paced" => submit::paced(&args).await,
            "through" => claims::through(&args).await,
            "claims" => claims::measure(&args).await,
            "worker" => fleet::worker(&args).await,
            other => bail!("unknown command `{other}`"),
        }
    })
}
