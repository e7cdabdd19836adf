//! Waits for a task's end, and says meanwhile what happens and who is waited for.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::{
    client::{
        Client,
        fields::{Fields, plain},
        follow::{Follower, patiently},
        ids::short,
    },
    exit::{Exit, Failure},
    output::{progress::Progress, text::shorten},
};

/// Whether and how to wait.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Waits for the task's end; the exit code tells how it ended.
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: goes on waiting when a person has to answer first, instead of ending with exit code 5.
    #[arg(long, requires = "wait")]
    pub(crate) stay: bool,
}

/// How the wait ended.
pub(crate) struct Waited {
    /// The task as it is now.
    pub(crate) task: Value,
    /// The exit code that says so.
    pub(crate) exit: Exit,
}

/// Waits until the task is over, or, unless `stay`, until a person has to answer.
pub(crate) async fn wait(client: &Client, id: &str, stay: bool) -> anyhow::Result<Waited> {
    let mut progress = Progress::new();
    let mut events = Follower::task(client, id);
    let path = format!("/tasks/{id}");
    let waited = loop {
        let (kind, event) = events.next().await?;
        let payload = &event["payload"];
        match kind.as_str() {
            "step.status" => progress.say(&step(payload)),
            "order.status" => progress.say(&order(payload)),
            "task.status" if over(payload.text("to")).is_some() => {
                let task = patiently(|| client.get(&path, &[])).await?;
                // After a retry the log holds earlier ends as well.
                if let Some(exit) = over(task.text("status")) {
                    break Waited { task, exit };
                }
            }
            "question.asked" => {
                let question = question(client, payload.text("question_id")).await?;
                if question.text("status") == "open" {
                    progress.note(&how_to_answer(&question));
                    progress.say("waits for a person");
                    if !stay {
                        let task = patiently(|| client.get(&path, &[])).await?;
                        break Waited { task, exit: Exit::Waiting };
                    }
                }
            }
            _ => {}
        }
    };
    progress.done();
    Ok(waited)
}

async fn question(client: &Client, id: &str) -> anyhow::Result<Value> {
    patiently(|| client.json(client.request(Method::GET, &format!("/questions/{id}")))).await
}

/// The exit code of a final status.
fn over(status: &str) -> Option<Exit> {
    match status {
        "completed" => Some(Exit::Ok),
        "failed" => Some(Exit::Failed),
        "cancelled" => Some(Exit::Cancelled),
        _ => None,
    }
}

fn step(payload: &Value) -> String {
    format!("step {} {}", payload.text("name"), payload.text("to"))
}

fn order(payload: &Value) -> String {
    match payload.text("error") {
        "" => payload.text("to").to_owned(),
        error => format!("{}: {}", payload.text("to"), shorten(error, 120)),
    }
}

/// The question and the commands that answer it.
pub(crate) fn how_to_answer(question: &Value) -> String {
    let id = short(question.text("id"));
    let mut text = format!("? {}", shorten(question.text("prompt"), 400));
    if question.text("kind") == "approval" {
        text.push_str(&format!("\n  shopfloor approve {id}   or   shopfloor reject {id} --comment WHY"));
        return text;
    }
    let options: Vec<String> = question.rows("options").iter().map(|option| shorten(&plain(option), 40)).collect();
    if !options.is_empty() {
        text.push_str(&format!("\n  one of: {}", options.join(", ")));
    }
    text.push_str(&format!("\n  shopfloor answer {id} VALUE"));
    text
}

/// The failure that ends `--wait` on a task that did not complete, for people.
pub(crate) fn verdict(waited: &Waited) -> Option<Failure> {
    let task = &waited.task;
    let id = short(task.text("id"));
    match waited.exit {
        Exit::Ok => None,
        Exit::Waiting => Some(Failure::new(waited.exit, format!("task {id} waits for a person"))),
        Exit::Cancelled => Some(Failure::new(waited.exit, format!("task {id} was cancelled"))),
        exit => {
            let why = shorten(task.text("error"), 400);
            Some(Failure::new(exit, format!("task {id} failed: {why}")).remedy(format!("shopfloor show {id}")))
        }
    }
}
