//! `chat`: a task's conversation.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Client, fields::Fields, follow::Follower, ids},
    exit::Exit,
    output::{
        self,
        text::{clean, clean_block},
    },
};

/// Reads and writes a task's conversation.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The task's id, or the beginning or end of it; every conversation when absent.
    task: Option<String>,
    /// What to say; without it the conversation is printed.
    message: Option<String>,
    /// Goes on printing what is said.
    #[arg(long, short, conflicts_with = "message")]
    follow: bool,
    /// How many messages at most.
    #[arg(long, short = 'n', default_value_t = 200)]
    limit: usize,
}

/// Reads or writes.
pub(crate) async fn run(chat: Chat, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let task = match &chat.task {
        Some(task) => Some(ids::task(client, task).await?),
        None => None,
    };
    if let (Some(task), Some(message)) = (&task, &chat.message) {
        let body = json!({"conversation_id": task, "message": message});
        let posted = client.post("/chat/messages", &body).await?;
        match json {
            true => output::json(&posted)?,
            false => print(&posted)?,
        }
        return Ok(Exit::Ok);
    }
    if chat.follow {
        return follow(client, task, json).await;
    }
    let query = task.map(|task| ("conversation_id", task));
    let messages = client.rows("/chat/messages", query.as_slice(), chat.limit).await?;
    if json {
        output::json(&json!({"items": messages}))?;
    } else {
        messages.iter().try_for_each(print)?;
    }
    Ok(Exit::Ok)
}

async fn follow(client: &Client, task: Option<String>, json: bool) -> anyhow::Result<Exit> {
    let mut query = vec![("kind", "message.posted".to_owned()), ("after", "0-0".to_owned())];
    query.extend(task.map(|task| ("task_id", task)));
    let mut events = Follower::new(client, query);
    loop {
        let (_, event) = events.next().await?;
        match json {
            true => output::json(&event["payload"])?,
            false => print(&event["payload"])?,
        }
    }
}

fn print(message: &Value) -> anyhow::Result<()> {
    let who = match message.text("sender_type") {
        "human" => clean(message.text("sender_id")),
        kind => kind.to_owned(),
    };
    let when = message.time("created_at").map(|time| format!("{time:.19}")).unwrap_or_default();
    output::line(format!("{when} {who}: {}", clean_block(message.text("message"))))
}
