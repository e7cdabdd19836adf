//! What a process without an API shows of itself: metrics, and whether it is alive and ready.

use std::{io, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, middleware::from_fn, response::IntoResponse, routing::get};
use shopfloor_queue::Queue;
use shopfloor_store::Store;
use shopfloor_telemetry::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{info, warn};

use crate::{
    error::Result,
    guard,
    health::{self, ReadyOut},
    metrics, problem,
};

/// How long open requests may go on after the stop.
const DRAIN: Duration = Duration::from_secs(2);

/// The parts that are looked at.
#[derive(Clone)]
pub struct Watched {
    /// The process's metrics.
    pub metrics: Metrics,
    /// The record; the process is ready while it answers.
    pub store: Store,
    /// Its queue, whose mode of dispatch is shown.
    pub queue: Arc<dyn Queue>,
    /// Cancelled when the process is told to stop: from then on it is not ready.
    pub stop: CancellationToken,
}

/// `/metrics`, `/healthz` and `/readyz`, without a socket. Open, as those of the API are: there is no id or text of anybody
/// in them.
pub fn metrics_router(watched: Watched) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(ready))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(problem::render))
        .layer(from_fn(guard::headers))
        .with_state(watched)
}

/// Serves [`metrics_router`] until `stop` is cancelled; that may be later than `watched.stop`, so that the last scrape sees a
/// drain.
///
/// # Errors
/// [`io::Error`] when the listener fails.
pub async fn serve_metrics(listener: TcpListener, watched: Watched, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    info!(%address, "Metrics are served");
    let serving = axum::serve(listener, metrics_router(watched)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overtime = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serving.into_future() => ended?,
        () = overtime => warn!(seconds = DRAIN.as_secs(), "Left scrapes that took too long"),
    }
    Ok(())
}

async fn show(State(watched): State<Watched>) -> Result<impl IntoResponse> {
    metrics::show_mode(&watched.metrics, &*watched.queue);
    metrics::text(&watched.metrics)
}

async fn ready(State(watched): State<Watched>) -> Result<Json<ReadyOut>> {
    Ok(Json(ReadyOut::new(health::record(&watched.store, &watched.stop).await?, &*watched.queue)))
}
