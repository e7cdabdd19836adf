//! `keys`: makes, lists and revokes API keys.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shopfloor_domain::role::Role;

use super::submit::word;
use crate::{
    client::{
        Client,
        fields::Fields,
        ids::{self, short},
    },
    exit::Exit,
    output::{self, table, text::clean, time},
    server::settings::Database,
};

/// Makes, lists and revokes API keys.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes a key and prints its secret, once.
    Create(Create),
    /// Lists keys, without their secrets.
    List,
    /// Revokes a key.
    Revoke {
        /// The key's id, or the beginning or end of it.
        key: String,
    },
}

/// A key to make.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What its holder may do: admin, operator, worker or viewer.
    #[arg(long, value_parser = word::<Role>)]
    pub(crate) role: Role,
    /// What it is for.
    #[arg(long)]
    pub(crate) name: String,
    /// How long it is good for, e.g. 30d; for ever when absent.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) expires: Option<Duration>,
    /// Writes straight into the database instead of asking the server; for whoever has access to that, as a way back in.
    #[arg(long)]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) database: Database,
}

impl Keys {
    /// Whether this goes to the database, not to the server.
    pub(crate) fn is_local(&self) -> bool {
        matches!(&self.action, Action::Create(create) if create.local)
    }
}

/// Runs the command over HTTP.
pub(crate) async fn run(keys: Keys, client: &Client, json: bool) -> anyhow::Result<Exit> {
    match keys.action {
        Action::Create(create) => {
            let expires_at = create.expires.map(|expires| time::now() + expires);
            let body = json!({"name": create.name, "role": create.role, "expires_at": expires_at});
            print_new(&client.post("/keys", &body).await?, json)?;
        }
        Action::List => list(client, json).await?,
        Action::Revoke { key } => {
            let id = ids::whole_of_list(client, "key", "/keys", &key).await?;
            let revoked = client.json(client.request(reqwest::Method::DELETE, &format!("/keys/{id}"))).await?;
            match json {
                true => output::json(&revoked)?,
                false => output::line(format!("key {} is revoked", short(&id)))?,
            }
        }
    }
    Ok(Exit::Ok)
}

/// Prints a new key: the secret alone on standard output.
pub(crate) fn print_new(key: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(key);
    }
    output::note(format!(
        "key `{}` ({}); this is the only time it is shown:",
        clean(key.text("name")),
        key.text("role")
    ));
    output::line(key.text("secret"))
}

async fn list(client: &Client, json: bool) -> anyhow::Result<()> {
    let keys = client.list("/keys").await?;
    if json {
        return output::json(&json!({"items": keys}));
    }
    let mut rows = table::new(&["key", "name", "role", "begins with", "made", "state"]);
    for key in &keys {
        let state = match (key["revoked_at"].is_string(), key.time("expires_at")) {
            (true, _) => "revoked".to_owned(),
            (false, Some(at)) if at <= time::now() => "expired".to_owned(),
            (false, Some(at)) => format!("expires {}", time::until(Some(at))),
            (false, None) => "live".to_owned(),
        };
        rows.add_row([
            short(key.text("id")).to_owned(),
            clean(key.text("name")),
            key.text("role").to_owned(),
            key.text("prefix").to_owned(),
            time::ago(key.time("created_at")),
            state,
        ]);
    }
    table::print(&rows, "no keys")
}
