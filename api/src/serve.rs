//! Runs the router on a listener until it is told to stop.

use std::{io, time::Duration};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{App, app::AppState, router::build};

/// How long sockets may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Serves until `stop` is cancelled, then lets open requests finish for at most `settings.drain`. Streams, sockets and
/// waiting claims end at once. While the listener is bound to loopback only, foreign host names are refused.
///
/// # Errors
/// [`io::Error`] when the listener fails.
pub async fn serve(listener: TcpListener, app: App, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    let drain = app.settings.drain;
    let state = AppState::new(app, stop.clone());
    let router = build(state.clone(), address.ip().is_loopback());
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "Could not switch off Nagle's algorithm");
        }
    });
    info!(%address, "Listening");
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
    let overtime = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        ended = serving => ended?,
        () = overtime => warn!(seconds = drain.as_secs(), "Left requests that took too long"),
    }
    state.sockets.close();
    if tokio::time::timeout(GOODBYE, state.sockets.wait()).await.is_err() {
        debug!("Left sockets that did not close in time");
    }
    info!(%address, "Stopped listening");
    Ok(())
}
