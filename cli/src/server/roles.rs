//! Runs roles, together or alone, and stops them in order.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use shopfloor_sandbox::probe::Probed;
use shopfloor_store::keys;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    bind,
    parts::{self, Parts},
    settings, stop, up,
};
use crate::{client::settings::ClientArgs, exit::Exit, output};

type Ended = (&'static str, anyhow::Result<()>);

/// Roles that run in this process. The API stops last, so that people can watch the others drain.
pub(crate) struct Roles {
    stop: CancellationToken,
    stop_api: CancellationToken,
    workers: JoinSet<Ended>,
    api: JoinSet<Ended>,
}

impl Roles {
    /// No roles yet; `stop` will stop them.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop, stop_api: CancellationToken::new(), workers: JoinSet::new(), api: JoinSet::new() }
    }

    /// Adds the API.
    pub(crate) fn api(&mut self, listener: TcpListener, app: shopfloor_api::App) {
        let stop = self.stop_api.clone();
        self.api.spawn(async move { ("API", shopfloor_api::serve(listener, app, stop).await.context("serving")) });
    }

    /// Adds an orchestrator.
    pub(crate) fn orchestrator(
        &mut self,
        settings: shopfloor_orchestrator::Settings,
        deps: shopfloor_orchestrator::Deps,
    ) {
        let stop = self.stop.clone();
        self.workers.spawn(async move {
            shopfloor_orchestrator::run(settings, deps, stop).await;
            ("orchestrator", Ok(()))
        });
    }

    /// Adds a worker, which begins once it is known which sandbox there is.
    pub(crate) fn worker(
        &mut self,
        settings: shopfloor_worker::Settings,
        parts: Parts,
        mut probed: watch::Receiver<Option<Arc<Probed>>>,
    ) {
        let stop = self.stop.clone();
        self.workers.spawn(async move {
            let known = tokio::select! {
                known = up::known(&mut probed) => known,
                () = stop.cancelled() => return ("worker", Ok(())),
            };
            let Some(probed) = known else { return ("worker", Err(anyhow!("trying out the sandbox failed"))) };
            let ended = shopfloor_worker::run(settings, parts.worker(&probed), stop).await;
            ("worker", ended.map_err(anyhow::Error::from))
        });
    }

    /// Adds the metrics of a process without an API, if they are to be served. Like the API they stop last.
    pub(crate) async fn watch(&mut self, watch: &settings::Watch, parts: &Parts) -> anyhow::Result<()> {
        let Some(bind) = watch.metrics_bind else { return Ok(()) };
        let listener = bind::listen(bind).await?;
        let address = listener.local_addr().context("asking for the address")?;
        output::line(format!("Metrics are on http://{address}/metrics"))?;
        let (watched, stop) = (parts.watched(self.stop.clone()), self.stop_api.clone());
        self.api.spawn(async move {
            let served = shopfloor_api::serve_metrics(listener, watched, stop).await;
            ("metrics server", served.context("serving metrics"))
        });
        Ok(())
    }

    /// Runs until told to stop, or until a role ends by itself, which is a failure.
    pub(crate) async fn run(mut self) -> anyhow::Result<Exit> {
        let early = tokio::select! {
            // A role that has nothing to finish ends as soon as it is told to: that is no failure.
            biased;
            () = self.stop.cancelled() => None,
            Some(ended) = self.workers.join_next() => Some(ended),
            Some(ended) = self.api.join_next() => Some(ended),
        };
        self.stop.cancel();
        let mut failure = early.map(|ended| died(ended).unwrap_or_else(|| anyhow!("a role ended by itself")));
        for (roles, stopped) in [(&mut self.workers, self.stop_api.clone()), (&mut self.api, self.stop.clone())] {
            while let Some(ended) = roles.join_next().await {
                failure = failure.or_else(|| died(ended));
            }
            stopped.cancel();
        }
        match failure {
            Some(error) => Err(error),
            None => {
                info!("Stopped");
                Ok(Exit::Ok)
            }
        }
    }
}

fn died(ended: Result<Ended, tokio::task::JoinError>) -> Option<anyhow::Error> {
    match ended {
        Ok((_, Ok(()))) => None,
        Ok((role, Err(error))) => Some(error.context(format!("the {role} ended"))),
        Err(error) => Some(anyhow::Error::from(error).context("a role ended by a bug")),
    }
}

/// The API alone.
pub(crate) async fn api(api: settings::Api, client: &ClientArgs) -> anyhow::Result<Exit> {
    api.log.start();
    let data_dir = parts::shared_data_dir(&api.database, &client.data_dir)?;
    let stop = stop::on_signals()?;
    let listener = bind::listen(api.http.bind).await?;
    let parts = Parts::open(&api.database.store(&data_dir), &api.dispatch, &stop).await?;
    let mut roles = Roles::new(stop);
    output::line(format!("The API listens on http://{}", listener.local_addr().context("asking for the address")?))?;
    if keys::list(&parts.store).await.context("looking for API keys")?.is_empty() {
        output::note("There is no API key yet. Make one: shopfloor keys create --local --role admin --name NAME");
    }
    roles.api(listener, parts.api(&api.http, &api.retry, None)?);
    finish(roles, parts).await
}

/// A worker alone.
pub(crate) async fn worker(worker: settings::Worker, client: &ClientArgs) -> anyhow::Result<Exit> {
    worker.log.start();
    let data_dir = parts::shared_data_dir(&worker.database, &client.data_dir)?;
    let stop = stop::on_signals()?;
    let store = worker.database.store(&data_dir);
    let (probed, parts) = tokio::join!(worker.sandbox.probe(&data_dir), Parts::open(&store, &worker.dispatch, &stop));
    let parts = parts?;
    let name = worker.name.unwrap_or_else(host_name);
    output::line(format!("Worker {name} begins; {}", parts::sandbox_sentence(&probed)))?;
    let mut roles = Roles::new(stop);
    roles.watch(&worker.watch, &parts).await?;
    let known = watch::Sender::new(Some(Arc::new(probed)));
    roles.worker(parts::worker(name, &worker.work, &worker.retry), parts.clone(), known.subscribe());
    finish(roles, parts).await
}

/// An orchestrator alone.
pub(crate) async fn orchestrator(orchestrator: settings::Orchestrator, client: &ClientArgs) -> anyhow::Result<Exit> {
    orchestrator.log.start();
    let data_dir = parts::shared_data_dir(&orchestrator.database, &client.data_dir)?;
    let stop = stop::on_signals()?;
    let parts = Parts::open(&orchestrator.database.store(&data_dir), &orchestrator.dispatch, &stop).await?;
    let mut roles = Roles::new(stop);
    roles.watch(&orchestrator.watch, &parts).await?;
    roles.orchestrator(parts::orchestrator(&orchestrator.reap, &orchestrator.retry), parts.orchestrator());
    output::line("The orchestrator begins")?;
    finish(roles, parts).await
}

async fn finish(roles: Roles, parts: Parts) -> anyhow::Result<Exit> {
    let exit = roles.run().await;
    parts.store.close().await.context("closing the record")?;
    exit
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "worker".to_owned(),
        name => name.to_owned(),
    }
}
