//! Listens, and says what to do when that is not possible.

use std::{io, net::SocketAddr};

use anyhow::Context;
use clap::{ArgMatches, parser::ValueSource};
use tokio::net::TcpListener;

use crate::exit::{Exit, Failure};

/// Refuses an address that others can reach, unless it was asked for on the command line itself.
pub(crate) fn check_loopback(bind: SocketAddr, matches: &ArgMatches) -> Result<(), Failure> {
    let source = matches.subcommand().and_then(|(_, sub)| sub.value_source("bind"));
    if bind.ip().is_loopback() || source == Some(ValueSource::CommandLine) {
        return Ok(());
    }
    Err(Failure::usage(format!("{bind} can be reached from other machines, and was not given on the command line"))
        .remedy(format!("`shopfloor up --bind {bind}` if that is meant; 127.0.0.1 otherwise")))
}

/// Listens on `bind`.
pub(crate) async fn listen(bind: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(bind).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(bind.ip(), 0);
            Err(Failure::new(Exit::Failed, format!("{bind} is in use: another server listens there"))
                .remedy(format!("stop that one, or `--bind {free}` for any free port"))
                .into())
        }
        Err(error) => Err(error).with_context(|| format!("listening on {bind}")),
    }
}
