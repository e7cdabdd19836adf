//! The client's commands, one module per thing they are about.

pub(crate) mod artifacts;
pub(crate) mod chat;
pub(crate) mod inputs;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod people;
pub(crate) mod pipelines;
pub(crate) mod queue;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod submit;
pub(crate) mod tasks;
pub(crate) mod wait;

use anyhow::Context;
use clap::CommandFactory;

use crate::{
    args::{Cli, Command},
    client::{Client, settings::ClientArgs},
    exit::Exit,
    output,
};

/// Runs a client's command on a runtime as small as its work.
pub(crate) fn block_on(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(work)
}

/// Runs a command that needs a server.
pub(crate) async fn run(command: Command, args: &ClientArgs) -> anyhow::Result<Exit> {
    if let Command::Pipelines(pipelines) = &command
        && let Some(file) = pipelines.file_to_check()
    {
        return pipelines::check(file, args.json);
    }
    let (client, json) = (&Client::new(args)?, args.json);
    match command {
        Command::Submit(submit) => submit::run(*submit, client, json).await,
        Command::Tasks(list) => tasks::list(list, client, json).await,
        Command::Show(show) => show::run(show, client, json).await,
        Command::Logs(logs) => logs::run(logs, client, json).await,
        Command::Why(why) => tasks::why(why, client, json).await,
        Command::Cancel(cancel) => tasks::cancel(cancel, client, json).await,
        Command::Retry(retry) => tasks::retry(retry, client, json).await,
        Command::Inbox(inbox) => people::inbox(inbox, client, json).await,
        Command::Answer(answer) => people::answer(answer, client, json).await,
        Command::Approve(decide) => people::decide(decide, true, client, json).await,
        Command::Reject(decide) => people::decide(decide, false, client, json).await,
        Command::Workers(workers) => sessions::workers(workers, client, json).await,
        Command::Sessions(sessions) => sessions::sessions(sessions, client, json).await,
        Command::Queue(queue) => queue::run(queue, client, json).await,
        Command::Artifacts(artifacts) => artifacts::run(artifacts, client, json).await,
        Command::Chat(chat) => chat::run(chat, client, json).await,
        Command::Keys(keys) => keys::run(keys, client, json).await,
        Command::Pipelines(pipelines) => pipelines::run(pipelines, client, json).await,
        Command::Up(_)
        | Command::Api(_)
        | Command::Worker(_)
        | Command::Orchestrator(_)
        | Command::Migrate(_)
        | Command::Doctor(_)
        | Command::Openapi
        | Command::Completion { .. } => anyhow::bail!("this command needs no server"),
    }
}

/// Prints a shell's completion script.
pub(crate) fn completion(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "shopfloor", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Ok)
}

/// Prints the OpenAPI document of this version.
pub(crate) fn openapi() -> anyhow::Result<Exit> {
    output::line(crate::server::openapi()?)?;
    Ok(Exit::Ok)
}
