//! The driver of Shopfloor itself: submits through `tasks::submit`, works through `trait Queue`, as api and worker do.
//!
//! What a job costs here is what an order costs: task, run, conversation, order, session, execution and event log are
//! written, the input is read from the record, every write carries the epoch. Only pipeline and sandbox are left out, for
//! the job does nothing.

mod claims;
mod fleet;
mod queue;
mod submit;

use anyhow::{Result, bail};
use shopfloor_bench_kit::Args;

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse()?;
    match args.command.as_str() {
        "setup" => queue::open(&args).await.map(drop),
        "enqueue" => submit::enqueue(&args).await,
        "paced" => submit::paced(&args).await,
        "claims" => claims::measure(&args).await,
        "worker" => fleet::worker(&args).await,
        other => bail!("unknown command `{other}`"),
    }
}
