//! The command line: what there is, and its help texts.

use clap::{Parser, Subcommand};

use crate::{
    client::settings::ClientArgs,
    commands::{artifacts, chat, keys, logs, people, pipelines, queue, sessions, submit, tasks},
    server::settings as server,
};

/// A job queue and worker fleet for AI pipelines.
///
/// Start everything with `shopfloor up`, then use the other commands from a second terminal. Exit codes: 0 ok, 1 failed,
/// 2 usage or cancelled, 3 not found, 4 not allowed, 5 waiting for a person, 6 server out of reach.
#[derive(Debug, Parser)]
#[command(name = "shopfloor", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts everything in one process: API, orchestrator and workers.
    #[command(display_order = 1)]
    Up(Box<server::Up>),
    /// Starts the API alone.
    #[command(display_order = 2)]
    Api(Box<server::Api>),
    /// Starts a worker alone.
    #[command(display_order = 2)]
    Worker(Box<server::Worker>),
    /// Starts an orchestrator alone; any number may run, one leads.
    #[command(display_order = 2)]
    Orchestrator(Box<server::Orchestrator>),
    /// Brings the database up to date.
    #[command(display_order = 2)]
    Migrate(server::Migrate),
    /// Says what is there, what is missing and what to install; exit code 1 when something needed is missing.
    #[command(display_order = 2)]
    Doctor(server::Doctor),

    /// Submits a script as a task.
    Submit(Box<submit::Submit>),
    /// Lists tasks, newest first.
    Tasks(tasks::List),
    /// Shows a task: its steps, its result, its artifacts.
    Show(tasks::Show),
    /// Prints what a task printed; `-f` follows it.
    Logs(logs::Logs),
    /// Says why a task is not running.
    Why(tasks::Why),
    /// Cancels a task.
    Cancel(tasks::Cancel),
    /// Runs a failed or cancelled task again from the beginning.
    Retry(tasks::Retry),
    /// Lists the questions that wait for a person.
    Inbox(people::Inbox),
    /// Answers a question.
    Answer(people::Answer),
    /// Approves what a question asks for.
    Approve(people::Decide),
    /// Rejects what a question asks for.
    Reject(people::Decide),
    /// Lists workers.
    Workers(sessions::Workers),
    /// Lists sessions: which worker works on what.
    Sessions(sessions::Sessions),
    /// Shows the queues; pauses and resumes them; dead letters.
    Queue(queue::Queue),
    /// Lists and downloads what a task produced.
    Artifacts(artifacts::Artifacts),
    /// Reads and writes a task's conversation.
    Chat(chat::Chat),
    /// Makes, lists and revokes API keys.
    Keys(keys::Keys),
    /// Lists, shows and checks pipelines.
    Pipelines(pipelines::Pipelines),

    /// Prints the OpenAPI document.
    #[command(display_order = 2000)]
    Openapi,
    /// Prints a completion script for a shell.
    #[command(display_order = 2000)]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}
