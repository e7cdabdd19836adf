//! `queue`: how much waits, pausing and resuming, dead letters.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::inputs;
use crate::{
    client::{
        Client,
        fields::Fields,
        ids::{self, short},
    },
    exit::Exit,
    output::{self, table, text::shorten, time},
};

/// Shows the queues.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Pauses a queue: nothing more is claimed from it, what runs goes on.
    Pause {
        /// The queue.
        #[arg(default_value = "default")]
        queue: String,
    },
    /// Resumes a queue.
    Resume {
        /// The queue.
        #[arg(default_value = "default")]
        queue: String,
    },
    /// Lists dead letters: orders that were given up.
    Dead {
        /// How many at most.
        #[arg(long, short = 'n', default_value_t = 50)]
        limit: usize,
    },
    /// Gives a dead letter another set of attempts; it goes on at its first unfinished step.
    Requeue {
        /// The order's id, or the beginning or end of it.
        order: String,
        /// A new input for the task, as a JSON object.
        #[arg(long, value_name = "JSON")]
        input_json: Option<String>,
    },
}

/// Runs the command.
pub(crate) async fn run(queue: Queue, client: &Client, json: bool) -> anyhow::Result<Exit> {
    match queue.action {
        None => status(client, json).await?,
        Some(Action::Pause { queue }) => switch(client, &queue, "pause", json).await?,
        Some(Action::Resume { queue }) => switch(client, &queue, "resume", json).await?,
        Some(Action::Dead { limit }) => dead(client, limit, json).await?,
        Some(Action::Requeue { order, input_json }) => requeue(client, &order, input_json.as_deref(), json).await?,
    }
    Ok(Exit::Ok)
}

async fn status(client: &Client, json: bool) -> anyhow::Result<()> {
    let status = client.get("/queue/status", &[]).await?;
    if json {
        return output::json(&status);
    }
    let mut rows = table::new(&["queue", "priority", "ready", "delayed", "claimed", "parked", "dead", "oldest"]);
    for depth in status.rows("depth") {
        let count = |name: &str| depth.number(name).to_string();
        rows.add_row([
            depth.text("queue").to_owned(),
            depth.text("priority").to_owned(),
            count("ready"),
            count("delayed"),
            count("claimed"),
            count("parked"),
            count("dead"),
            time::ago(depth.time("oldest_ready_at")),
        ]);
    }
    table::print(&rows, "no queues")?;
    for queue in status.rows("queues").iter().filter(|queue| queue["paused_at"].is_string()) {
        let (name, since) = (queue.text("name"), time::ago(queue.time("paused_at")));
        output::line(format!("{name} is paused since {since}; `shopfloor queue resume {name}` goes on"))?;
    }
    Ok(())
}

async fn switch(client: &Client, queue: &str, action: &str, json: bool) -> anyhow::Result<()> {
    let queue: shopfloor_domain::Name = queue.parse().map_err(|e| crate::exit::Failure::usage(format!("{e}")))?;
    let changed = client.post(&format!("/queue/{queue}/{action}"), &json!({})).await?;
    match json {
        true => output::json(&changed),
        false => output::line(format!("{queue} is {action}d")),
    }
}

async fn dead(client: &Client, limit: usize, json: bool) -> anyhow::Result<()> {
    let orders = client.rows("/queue/dead", &[], limit).await?;
    if json {
        return output::json(&json!({"items": orders}));
    }
    let mut rows = table::new(&["order", "task", "attempts", "kills", "error", "since"]);
    for order in &orders {
        rows.add_row([
            short(order.text("id")).to_owned(),
            short(order.text("task_id")).to_owned(),
            order.number("attempt").to_string(),
            order.number("kills").to_string(),
            shorten(order.text("error"), 70),
            time::ago(order.time("completed_at")),
        ]);
    }
    table::print(&rows, "no dead letters")
}

async fn requeue(client: &Client, given: &str, input: Option<&str>, json: bool) -> anyhow::Result<()> {
    let id = ids::whole(client, "dead order", "/queue/dead", &[], given).await?;
    let body = match input {
        Some(text) => json!({"input": Value::Object(inputs::object(text)?)}),
        None => json!({}),
    };
    let order = client.post(&format!("/queue/dead/{id}/requeue"), &body).await?;
    match json {
        true => output::json(&order),
        false => output::line(format!("queued again as order {}", order.text("id"))),
    }
}
