//! `tasks`, `why`, `cancel`, `retry`, and the arguments of `show`.

use clap::Args;
use serde_json::{Value, json};
use shopfloor_domain::{
    Priority,
    task::{TaskStatus, TaskType},
};

use super::{
    submit::{finish, word},
    wait::{self, WaitArgs},
};
use crate::{
    client::{
        Client,
        fields::Fields,
        ids::{self, short},
    },
    exit::Exit,
    output::{
        self, table,
        text::{clean, shorten},
        time,
    },
};

/// Lists tasks, newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this status: queued, in_progress, completed, failed or cancelled. May be repeated.
    #[arg(long, short, value_parser = word::<TaskStatus>)]
    status: Vec<TaskStatus>,
    /// Only this type.
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<TaskType>)]
    task_type: Option<TaskType>,
    /// Only this priority.
    #[arg(long, value_parser = word::<Priority>)]
    priority: Option<Priority>,
    /// Only this project.
    #[arg(long)]
    project: Option<String>,
    /// Only titles with this text in them.
    #[arg(long)]
    text: Option<String>,
    /// How many at most.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
}

/// Shows a task.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The task's id, or the beginning or end of it.
    pub(crate) task: String,
}

/// Says why a task is not running.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The task's id, or the beginning or end of it.
    task: String,
}

/// Cancels a task.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The task's id, or the beginning or end of it.
    task: String,
    /// Waits until the worker has confirmed.
    #[arg(long)]
    wait: bool,
}

/// Runs a failed or cancelled task again.
#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The task's id, or the beginning or end of it.
    task: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Lists tasks.
pub(crate) async fn list(list: List, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let mut query: Vec<(&str, String)> = list.status.iter().map(|status| ("status", status.to_string())).collect();
    let filters = [
        ("type", list.task_type.map(|word| word.to_string())),
        ("priority", list.priority.map(|word| word.to_string())),
        ("project", list.project),
        ("text", list.text),
    ];
    query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let tasks = client.rows("/tasks", &query, list.limit).await?;
    if json {
        output::json(&json!({"items": tasks}))?;
        return Ok(Exit::Ok);
    }
    let mut rows = table::new(&["task", "status", "priority", "pipeline", "title", "submitted"]);
    for task in &tasks {
        rows.add_row([
            short(task.text("id")).to_owned(),
            standing(task),
            task.text("priority").to_owned(),
            task.text("pipeline").to_owned(),
            shorten(task.text("title"), 48),
            time::ago(task.time("created_at")),
        ]);
    }
    table::print(&rows, "no tasks; `shopfloor submit FILE` makes one")?;
    Ok(Exit::Ok)
}

/// A task's status, with what its order waits for.
pub(crate) fn standing(task: &Value) -> String {
    let status = task.text("status");
    match task["order"].text("status") {
        "parked" => format!("{status} (waits for a person)"),
        "queued" if status == "in_progress" => format!("{status} (queued again)"),
        "dead" => format!("{status} (dead)"),
        _ => status.to_owned(),
    }
}

/// Says why.
pub(crate) async fn why(why: Why, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let id = ids::task(client, &why.task).await?;
    let reason = client.get(&format!("/tasks/{id}/why"), &[]).await?;
    match json {
        true => output::json(&reason)?,
        false => output::line(clean(reason.text("sentence")))?,
    }
    Ok(Exit::Ok)
}

/// Cancels.
pub(crate) async fn cancel(cancel: Cancel, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let id = ids::task(client, &cancel.task).await?;
    let mut task = client.post(&format!("/tasks/{id}/cancel"), &json!({})).await?;
    if cancel.wait && task.text("status") != "cancelled" {
        task = wait::wait(client, &id, true).await?.task;
    }
    let status = task.text("status").to_owned();
    match (json, status.as_str()) {
        (true, _) => output::json(&task)?,
        (false, "cancelled") => output::line(format!("task {} is cancelled", short(&id)))?,
        (false, _) if cancel.wait => output::line(format!("task {} is {status}: it ended first", short(&id)))?,
        (false, _) => output::line(format!("task {}: its worker was told to stop", short(&id)))?,
    }
    let ended_first = cancel.wait && status != "cancelled";
    Ok(if ended_first { Exit::Failed } else { Exit::Ok })
}

/// Retries.
pub(crate) async fn retry(retry: Retry, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let id = ids::task(client, &retry.task).await?;
    let task = client.post(&format!("/tasks/{id}/retry"), &json!({})).await?;
    if retry.wait.wait {
        let waited = wait::wait(client, &id, retry.wait.stay).await?;
        return finish(client, &waited, json).await;
    }
    match json {
        true => output::json(&task)?,
        false => output::line(format!("task {} is queued again", short(&id)))?,
    }
    Ok(Exit::Ok)
}
