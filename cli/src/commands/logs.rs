//! `logs`: what a task printed, and with `-f` what it prints.

use clap::Args;
use serde_json::Value;

use crate::{
    client::{
        Client,
        fields::Fields,
        follow::{Follower, patiently},
        ids::{self, short},
    },
    exit::Exit,
    output::{self, text::shorten},
};

/// How many events are read without `-f`.
const MAX_EVENTS: usize = 100_000;

/// Prints what a task printed.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The task's id, or the beginning or end of it.
    task: String,
    /// Goes on until the task is over. Survives restarts of the server.
    #[arg(long, short)]
    follow: bool,
    /// The code's own output only, without what happens around it.
    #[arg(long, short)]
    quiet: bool,
}

/// Prints or follows.
pub(crate) async fn run(logs: Logs, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let id = ids::task(client, &logs.task).await?;
    if !logs.follow {
        for event in client.rows(&format!("/tasks/{id}/events"), &[], MAX_EVENTS).await? {
            print(event.text("kind"), &event, json, logs.quiet)?;
        }
        return Ok(Exit::Ok);
    }
    let path = format!("/tasks/{id}");
    // A task that is over gets its log printed, and no wait for more.
    let mut events = Follower::task(client, &id);
    loop {
        let (kind, event) = events.next().await?;
        print(&kind, &event, json, logs.quiet)?;
        let ended = matches!(event["payload"].text("to"), "completed" | "failed" | "cancelled");
        if kind == "task.status" && ended {
            let task = patiently(|| client.get(&path, &[])).await?;
            if matches!(task.text("status"), "completed" | "failed" | "cancelled") {
                return Ok(Exit::Ok);
            }
        }
    }
}

fn print(kind: &str, event: &Value, json: bool, quiet: bool) -> anyhow::Result<()> {
    if json {
        return output::json(event);
    }
    let payload = &event["payload"];
    if kind == "step.output" {
        return output::raw(payload.text("stream"), payload.text("text"));
    }
    if let Some(text) = around(kind, payload).filter(|_| !quiet) {
        output::note(format!("-- {text}"));
    }
    Ok(())
}

/// What happened around the code, in a line.
fn around(kind: &str, payload: &Value) -> Option<String> {
    let to = payload.text("to");
    Some(match kind {
        "task.status" => format!("task {to}"),
        "order.status" if to == "claimed" => format!("claimed by worker {}", short(payload.text("worker_id"))),
        "order.status" => match payload.text("error") {
            "" => format!("order {to}"),
            error => format!("order {to}: {}", shorten(error, 200)),
        },
        "step.status" => match payload.text("error") {
            "" => format!("step {} {to}", payload.text("name")),
            error => format!("step {} {to}: {}", payload.text("name"), shorten(error, 200)),
        },
        "question.asked" => {
            let id = short(payload.text("question_id"));
            format!("question {id}: {}", shorten(payload.text("prompt"), 200))
        }
        "question.closed" => format!("question {} {}", short(payload.text("question_id")), payload.text("status")),
        "artifact.stored" => format!("artifact {}", shorten(payload.text("name"), 100)),
        _ => return None,
    })
}
