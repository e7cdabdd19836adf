//! What the handlers work with: the parts of the system, and the settings of this one.

use std::{ops::Deref, sync::Arc, time::Duration};

use shopfloor_domain::{Clock, OrderId, Timestamp, backoff::RetryPolicy, lease::LeasePolicy};
use shopfloor_events::EventLog;
use shopfloor_pipelines::Catalog;
use shopfloor_queue::Queue;
use shopfloor_store::{Store, orders::Place};
use shopfloor_telemetry::Metrics;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

/// How the API behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Origins whose pages may call the API, e.g. `https://desk.example.org`. Empty: no page of another origin may.
    pub cors_origins: Vec<String>,
    /// Host names to be reached by, beside `localhost` and the loopback addresses, while listening on loopback only (behind
    /// a proxy, say). Requests for other hosts are refused: a web page could have pointed its own name at this machine.
    pub allowed_hosts: Vec<String>,
    /// How long a plain request may take. Streams, WebSockets, uploads and waiting claims have their own times.
    pub request_timeout: Duration,
    /// How long an upload may take.
    pub upload_timeout: Duration,
    /// The largest file that may be uploaded, in bytes.
    pub max_upload_bytes: u64,
    /// Event streams, WebSockets and waiting claims open at once.
    pub max_streams: usize,
    /// How often a stream says that it is alive.
    pub heartbeat: Duration,
    /// How long a client may take to accept one frame.
    pub send_timeout: Duration,
    /// How long open requests may go on after the stop.
    pub drain: Duration,
    /// Attempts and backoff of orders whose submission or failure comes through the API.
    pub retry: RetryPolicy,
    /// The lease of a claim that does not name one.
    pub lease: LeasePolicy,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            request_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(600),
            max_upload_bytes: 50 * 1024 * 1024,
            max_streams: 1024,
            heartbeat: Duration::from_secs(5),
            send_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            lease: LeasePolicy::default(),
        }
    }
}

/// The parts that the API is made of.
#[derive(Clone)]
pub struct App {
    /// The record.
    pub store: Store,
    /// Who is next.
    pub queue: Arc<dyn Queue>,
    /// The event log.
    pub events: EventLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The process's metrics.
    pub metrics: Metrics,
    /// The pipelines that tasks may name.
    pub pipelines: Arc<Catalog>,
    /// How to behave.
    pub settings: Settings,
    /// The sandbox level in force and a sentence about it, when a worker runs in this process.
    pub sandbox: Option<(String, String)>,
}

/// [`App`] and what the running server adds to it: the state of the routes.
#[derive(Clone)]
pub(crate) struct AppState {
    app: Arc<App>,
    /// Cancelled when the server stops; streams and waits end by it.
    pub(crate) stop: CancellationToken,
    /// One permit per open stream, socket or waiting claim.
    pub(crate) streams: Arc<Semaphore>,
    /// The sockets that are open.
    pub(crate) sockets: TaskTracker,
}

impl Deref for AppState {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}

impl AppState {
    pub(crate) fn new(app: App, stop: CancellationToken) -> Self {
        let streams = Arc::new(Semaphore::new(app.settings.max_streams));
        Self { app: Arc::new(app), stop, streams, sockets: TaskTracker::new() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Publishes committed orders. The record has them already, so a queue out of reach delays them until the orchestrator's
    /// next look and fails nothing.
    pub(crate) async fn publish(&self, orders: &[OrderId]) {
        if orders.is_empty() {
            return;
        }
        if let Err(error) = self.queue.publish(orders, self.now()).await {
            warn!(%error, count = orders.len(), "Could not publish orders; the orchestrator will");
        }
    }

    /// As [`AppState::publish`], for orders that were just written.
    pub(crate) async fn publish_new(&self, places: &[Place]) {
        if let Err(error) = self.queue.publish_new(places, self.now()).await {
            warn!(%error, count = places.len(), "Could not publish new orders; the orchestrator will");
        }
    }

    /// Tells the queue to forget orders that are over.
    pub(crate) async fn withdraw(&self, orders: &[OrderId]) {
        if let Err(error) = self.queue.withdraw(orders).await {
            warn!(%error, count = orders.len(), "Could not withdraw orders; claims will pass them by");
        }
    }
}
