//! Stopping: the first signal drains, the second ends the process at once.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::output;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process with the usual 128 + number.
pub(crate) fn on_signals() -> anyhow::Result<CancellationToken> {
    let listen = |kind| signal(kind).context("listening for signals");
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await.0;
        info!("Stopping on {name}: what runs is finished or handed back");
        output::note(format!("stopping on {name}; once more to stop at once"));
        token.cancel();
        let (name, code) = next(&mut terminate, &mut interrupt).await;
        output::note(format!("stopped at once on {name}"));
        std::process::exit(code);
    });
    Ok(stop)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 143),
        _ = interrupt.recv() => ("SIGINT", 130),
    }
}
