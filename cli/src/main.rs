//! The binary `shopfloor`: the roles of a server, and the commands of a client.

mod args;
mod client;
mod commands;
mod exit;
#[cfg(test)]
mod manual;
mod output;
mod server;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::{CommandFactory, FromArgMatches};
use exit::Exit;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(cli, &matches) {
        Ok(exit) => exit.into(),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(exit::explain(&error));
            exit::of(&error).into()
        }
    }
}

fn run(cli: Cli, matches: &clap::ArgMatches) -> anyhow::Result<Exit> {
    let Cli { client, command } = cli;
    match command {
        Command::Completion { shell } => commands::completion(shell),
        Command::Openapi => commands::openapi(),
        Command::Up(up) => server::block_on(server::up::run(*up, &client, matches)),
        Command::Api(api) => server::block_on(server::roles::api(*api, &client)),
        Command::Worker(worker) => server::block_on(server::roles::worker(*worker, &client)),
        Command::Orchestrator(orchestrator) => server::block_on(server::roles::orchestrator(*orchestrator, &client)),
        Command::Migrate(migrate) => server::block_on(server::migrate::run(migrate, &client)),
        Command::Doctor(doctor) => server::block_on(server::doctor::run(doctor, &client)),
        Command::Keys(keys) if keys.is_local() => server::block_on(server::local_keys::run(keys, &client)),
        command => commands::block_on(commands::run(command, &client)),
    }
}
