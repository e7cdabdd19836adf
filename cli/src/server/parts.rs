//! Builds what roles are made of from settings.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use shopfloor_domain::{Capabilities, Clock};
use shopfloor_pipelines::Catalog;
use shopfloor_queue::{Fairness, Queue, RedisQueue, RedisSettings, SqlQueue};
use shopfloor_sandbox::probe::{self, Probed};
use shopfloor_store::Store;
use shopfloor_telemetry::Metrics;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{clock, data_dir, settings};
use crate::exit::{Exit, Failure};

/// What every role works with.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    /// While it is there, what this process commits is called out to others. Not bound to the stop: a drain commits, too.
    _calls: Option<Arc<DropGuard>>,
}

impl settings::Database {
    /// The record's settings; SQLite and files are in `data_dir` unless said otherwise.
    pub(crate) fn store(&self, data_dir: &Path) -> shopfloor_store::Settings {
        let sqlite = || format!("sqlite://{}", data_dir.join("shopfloor.db").display());
        shopfloor_store::Settings {
            database_url: self.database_url.clone().unwrap_or_else(sqlite),
            blob_dir: self.blob_dir.clone().unwrap_or_else(|| data_dir.join("blobs")),
            max_connections: self.database_connections,
        }
    }

    /// Whether the record is in a database that several processes may share.
    pub(crate) fn is_given(&self) -> bool {
        self.database_url.is_some()
    }
}

impl settings::Dispatch {
    /// The queue on this record. A Redis that is away is no error; a URL that cannot be used is.
    fn queue(&self, store: &Store) -> anyhow::Result<Arc<dyn Queue>> {
        let Some(url) = &self.redis_url else { return Ok(Arc::new(SqlQueue::new(store.clone()))) };
        let fairness = match self.fairness {
            settings::Fairness::Projects => Fairness::Projects,
            settings::Fairness::Arrival => Fairness::Arrival,
        };
        let settings = RedisSettings { url: url.clone(), namespace: self.redis_namespace.clone(), fairness };
        let queue = RedisQueue::connect(store.clone(), &settings).map_err(|error| bad_url(&error))?;
        Ok(Arc::new(queue))
    }

    /// Calls other processes through Redis until the guard is dropped. Without Redis the database does it alone.
    fn fan_out(&self, store: &Store) -> anyhow::Result<Option<Arc<DropGuard>>> {
        let Some(url) = &self.redis_url else { return Ok(None) };
        let stop = CancellationToken::new();
        shopfloor_events::redis::fan_out(store, url, self.redis_namespace.as_str(), stop.clone())
            .map_err(|error| bad_url(&error))?;
        Ok(Some(Arc::new(stop.drop_guard())))
    }
}

fn bad_url(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::USAGE, error.to_string()).remedy("--redis-url redis://host:6379")
}

impl settings::Sandbox {
    /// Looks for the best sandbox there is.
    pub(crate) async fn probe(&self, data_dir: &Path) -> Probed {
        probe::probe(&probe::Settings {
            minimum_level: self.sandbox_minimum,
            toolchain: self.toolchain.clone(),
            scratch: self.scratch.clone().unwrap_or_else(|| data_dir.join("scratch")),
        })
        .await
    }
}

impl Parts {
    /// Opens the record, migrating it if need be.
    pub(crate) async fn open(
        settings: &shopfloor_store::Settings,
        dispatch: &settings::Dispatch,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let store = Store::open(settings).await.context("opening the record")?;
        let clock = clock::clock(&store, stop.clone()).await?;
        let queue = dispatch.queue(&store)?;
        let _calls = dispatch.fan_out(&store)?;
        Ok(Self { store, queue, clock, metrics: Metrics::new(), _calls })
    }

    /// The orchestrator's part of it.
    pub(crate) fn orchestrator(&self) -> shopfloor_orchestrator::Deps {
        let Self { store, queue, clock, metrics, .. } = self.clone();
        shopfloor_orchestrator::Deps { store, queue, clock, metrics }
    }

    /// A worker's part of it.
    pub(crate) fn worker(&self, probed: &Probed) -> shopfloor_worker::Deps {
        let Self { store, queue, clock, metrics, .. } = self.clone();
        shopfloor_worker::Deps { store, queue, clock, metrics, sandbox: Arc::clone(&probed.sandbox) }
    }

    /// What is shown of a process without an API.
    pub(crate) fn watched(&self, stop: CancellationToken) -> shopfloor_api::Watched {
        let Self { store, queue, metrics, .. } = self.clone();
        shopfloor_api::Watched { metrics, store, queue, stop }
    }

    /// The API's part of it.
    pub(crate) fn api(
        &self,
        http: &settings::Http,
        retry: &settings::Retry,
        probed: Option<&Probed>,
    ) -> anyhow::Result<shopfloor_api::App> {
        let pipelines = Catalog::load(http.pipelines.as_deref()).context("loading the pipelines")?;
        let Self { store, queue, clock, metrics, .. } = self.clone();
        Ok(shopfloor_api::App {
            events: shopfloor_events::EventLog::new(store.clone()),
            store,
            queue,
            clock,
            metrics,
            pipelines: Arc::new(pipelines),
            settings: shopfloor_api::Settings {
                cors_origins: http.cors_origins.clone(),
                allowed_hosts: http.allowed_hosts.clone(),
                max_upload_bytes: http.max_upload_mib * 1024 * 1024,
                retry: retry.policy(),
                lease: retry.lease(),
                ..shopfloor_api::Settings::default()
            },
            sandbox: probed.map(|probed| (probed.level.to_string(), sandbox_sentence(probed))),
        })
    }
}

/// A worker's settings.
pub(crate) fn worker(name: String, work: &settings::Work, retry: &settings::Retry) -> shopfloor_worker::Settings {
    shopfloor_worker::Settings {
        name,
        slots: work.slots,
        capabilities: Capabilities(work.capabilities.iter().cloned().collect()),
        queues: work.queues.clone(),
        lease: retry.lease(),
        retry: retry.policy(),
        grace: work.grace,
        drain: work.drain,
    }
}

/// The orchestrator's settings.
pub(crate) fn orchestrator(reap: &settings::Reap, retry: &settings::Retry) -> shopfloor_orchestrator::Settings {
    shopfloor_orchestrator::Settings {
        retry: retry.policy(),
        lease: retry.lease(),
        session: reap.policy(),
        keep: reap.keep,
        ..shopfloor_orchestrator::Settings::default()
    }
}

/// The level in force, and what to do when it is none.
pub(crate) fn sandbox_sentence(probed: &Probed) -> String {
    let wrong: Vec<_> = probed.findings.iter().filter(|finding| !finding.ok).collect();
    match wrong.as_slice() {
        [] => format!("code runs at sandbox level `{}`", probed.level),
        wrong => {
            wrong.iter().map(|finding| format!("{}: {}", finding.name, finding.detail)).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The data folder of a role that shares a database: only what has no other place goes there.
pub(crate) fn shared_data_dir(database: &settings::Database, data_dir: &Path) -> anyhow::Result<PathBuf> {
    if !database.is_given() {
        let remedy = "--database-url or SHOPFLOOR_DATABASE_URL; `shopfloor up` is what needs none";
        return Err(Failure::new(Exit::USAGE, "this role needs the database that it shares with the others")
            .remedy(remedy)
            .into());
    }
    data_dir::make(data_dir)
}
