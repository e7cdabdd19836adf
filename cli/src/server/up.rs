//! `up`: everything in one process, on embedded defaults.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::ArgMatches;
use shopfloor_domain::{role::Role, sandbox::SandboxLevel};
use shopfloor_sandbox::probe::Probed;
use shopfloor_store::keys;
use tokio::{sync::watch, time::timeout};

use super::{
    bind,
    data_dir::DataDir,
    parts::{self, Parts},
    roles::Roles,
    settings::Up,
    stop,
};
use crate::{
    client::settings::{ClientArgs, ClientFile},
    exit::Exit,
    output,
};

/// How long the start waits for the sandbox to be tried out. Workers wait for it as long as it takes.
const PROBE_PATIENCE: Duration = Duration::from_millis(400);

/// Starts everything and runs until told to stop.
pub(crate) async fn run(up: Up, client: &ClientArgs, matches: &ArgMatches) -> anyhow::Result<Exit> {
    bind::check_loopback(up.http.bind, matches)?;
    up.log.start();
    let data = DataDir::take(&client.data_dir)?;
    let stop = stop::on_signals()?;
    let listener = bind::listen(up.http.bind).await?;
    let bound = listener.local_addr().context("asking for the address")?;
    let mut probed = probe(&up, &data);
    let parts = Parts::open(&up.database.store(data.path()), &up.dispatch, &stop).await?;
    let secret = introduce(&parts, &data, &url(bound)).await?;
    let known = timeout(PROBE_PATIENCE, known(&mut probed)).await.ok().flatten();

    let mut roles = Roles::new(stop.clone());
    roles.api(listener, parts.api(&up.http, &up.retry, known.as_deref())?);
    roles.orchestrator(parts::orchestrator(&up.reap, &up.retry), parts.orchestrator());
    for number in 1..=up.workers {
        let settings = parts::worker(format!("worker-{number}"), &up.work, &up.retry);
        roles.worker(settings, parts.clone(), probed.clone());
    }
    announce(bound, &up, secret.as_deref(), known.as_deref())?;
    if known.is_none() {
        tokio::spawn(announce_later(probed));
    }
    let exit = roles.run().await;
    parts.store.close().await.context("closing the record")?;
    drop(data);
    exit
}

/// Tries out the sandbox while everything else starts.
fn probe(up: &Up, data: &DataDir) -> watch::Receiver<Option<Arc<Probed>>> {
    let (found, probed) = watch::channel(None);
    let (sandbox, data_dir) = (up.sandbox.clone(), data.path().to_owned());
    tokio::spawn(async move { found.send(Some(Arc::new(sandbox.probe(&data_dir).await))) });
    probed
}

/// What was found, once it is; `None` when the search ended without a word.
pub(crate) async fn known(probed: &mut watch::Receiver<Option<Arc<Probed>>>) -> Option<Arc<Probed>> {
    probed.wait_for(Option::is_some).await.ok()?.clone()
}

/// Sees to it that the client finds the server and a key that works. Returns the first admin key's secret when it was made
/// just now.
async fn introduce(parts: &Parts, data: &DataDir, url: &str) -> anyhow::Result<Option<String>> {
    let now = parts.clock.now();
    if let Some(new) = keys::bootstrap(&parts.store, now).await.context("making the first key")? {
        data.write_client(&ClientFile { url: url.to_owned(), api_key: new.secret.clone() })?;
        return Ok(Some(new.secret));
    }
    let file = ClientFile::read(data.path()).unwrap_or_default();
    let live = match &file {
        Some(file) => keys::authenticate(&parts.store, &file.api_key, now).await.context("looking up a key")?.is_some(),
        None => false,
    };
    match file {
        Some(file) if live && file.url == url => {}
        Some(file) if live => data.write_client(&ClientFile { url: url.to_owned(), ..file })?,
        // Whoever may start the server on this record may as well have a key to it.
        _ => {
            let new = keys::create(&parts.store, "client", Role::Admin, None, now).await.context("making a key")?;
            data.write_client(&ClientFile { url: url.to_owned(), api_key: new.secret })?;
        }
    }
    Ok(None)
}

/// The address for clients on this machine.
fn url(bound: SocketAddr) -> String {
    let ip = if bound.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bound.ip() };
    format!("http://{}", SocketAddr::new(ip, bound.port()))
}

fn announce(bound: SocketAddr, up: &Up, secret: Option<&str>, known: Option<&Probed>) -> anyhow::Result<()> {
    let url = url(bound);
    output::line(format!("Shopfloor is ready: {url}"))?;
    output::line(format!("  documentation  {url}/docs"))?;
    output::line(format!("  workers        {} with {} slot(s) each", up.workers, up.work.slots))?;
    match known {
        Some(probed) => output::line(sandbox(probed))?,
        None => output::line("  sandbox        still being tried out; no code runs before that is done")?,
    }
    if !bound.ip().is_loopback() {
        output::line(format!("  network        others can reach it: it listens on {bound}"))?;
    }
    if let Some(secret) = secret {
        output::line(format!("  admin key      {secret}"))?;
        output::line("                 shown this once; client.toml in the data folder has it for the commands here")?;
    }
    Ok(())
}

fn sandbox(probed: &Probed) -> String {
    if probed.level == SandboxLevel::None {
        return format!("  sandbox        none: code will not be run. {}", parts::sandbox_sentence(probed));
    }
    format!("  sandbox        level `{}`", probed.level)
}

async fn announce_later(mut probed: watch::Receiver<Option<Arc<Probed>>>) {
    if let Some(probed) = known(&mut probed).await {
        // Nobody may be reading by now; that stops nothing.
        let _ = output::line(sandbox(&probed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_here_use_loopback_when_it_listens_everywhere() {
        assert_eq!(url("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(url("[::1]:8000".parse().unwrap()), "http://[::1]:8000");
    }
}
