//! `migrate`: brings the database up to date, or says whether it is.

use anyhow::Context;
use serde_json::json;
use shopfloor_store::Store;

use super::{data_dir, settings::Migrate};
use crate::{client::settings::ClientArgs, exit::Exit, output};

/// Migrates or looks.
pub(crate) async fn run(migrate: Migrate, client: &ClientArgs) -> anyhow::Result<Exit> {
    let data_dir = data_dir::make(&client.data_dir)?;
    let store = Store::connect(&migrate.database.store(&data_dir)).await.context("opening the record")?;
    let exit = if migrate.status {
        let pending = store.pending().await?;
        say(client.json, "pending", pending, "pending")?;
        if pending == 0 { Exit::Ok } else { Exit::Failed }
    } else {
        let ran = store.migrate().await?;
        say(client.json, "ran", ran, "run now")?;
        Exit::Ok
    };
    store.close().await.context("closing the record")?;
    Ok(exit)
}

fn say(as_json: bool, field: &str, count: u32, what: &str) -> anyhow::Result<()> {
    match (as_json, count) {
        (true, _) => output::json(&json!({field: count})),
        (false, 0) => output::line("the database is up to date"),
        (false, 1) => output::line(format!("1 migration {what}")),
        (false, _) => output::line(format!("{count} migrations {what}")),
    }
}
