//! `workers` and `sessions`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Client, fields::Fields, ids::short},
    exit::Exit,
    output::{self, table, text::clean, time},
};

/// Lists workers.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// Also those that are offline.
    #[arg(long, short)]
    all: bool,
}

/// Lists sessions.
#[derive(Debug, Args)]
pub(crate) struct Sessions {
    /// Also those that are over.
    #[arg(long, short)]
    all: bool,
    /// How many at most.
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
}

/// Lists workers.
pub(crate) async fn workers(workers: Workers, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let query = if workers.all { vec![("include_offline", "true".to_owned())] } else { vec![] };
    let list = client.rows("/workers", &query, 500).await?;
    if json {
        output::json(&json!({"items": list}))?;
        return Ok(Exit::Ok);
    }
    let mut rows = table::new(&["worker", "name", "status", "holds", "can", "heard of"]);
    for worker in &list {
        rows.add_row([
            short(worker.text("id")).to_owned(),
            clean(worker.text("name")),
            worker.text("status").to_owned(),
            format!("{} of {}", worker.number("held"), worker.number("slots")),
            words(&worker["capabilities"]),
            time::ago(worker.time("last_heartbeat_at")),
        ]);
    }
    table::print(&rows, "no worker is there; `shopfloor worker` starts one")?;
    Ok(Exit::Ok)
}

/// Lists sessions.
pub(crate) async fn sessions(sessions: Sessions, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let live = ["active", "idle"].map(|status| ("status", status.to_owned()));
    let query = if sessions.all { &[][..] } else { &live[..] };
    let list = client.rows("/sessions", query, sessions.limit).await?;
    if json {
        output::json(&json!({"items": list}))?;
        return Ok(Exit::Ok);
    }
    let mut rows = table::new(&["session", "worker", "task", "status", "began", "active"]);
    for session in &list {
        let status = match session.text("end_reason") {
            "" => session.text("status").to_owned(),
            reason => format!("{} ({reason})", session.text("status")),
        };
        rows.add_row([
            short(session.text("id")).to_owned(),
            short(session.text("worker_id")).to_owned(),
            short(session.text("task_id")).to_owned(),
            status,
            time::ago(session.time("created_at")),
            time::ago(session.time("last_activity_at")),
        ]);
    }
    table::print(&rows, "no session is open")?;
    Ok(Exit::Ok)
}

fn words(list: &Value) -> String {
    let words = list.as_array().map(Vec::as_slice).unwrap_or_default();
    words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}
