//! `pipelines`: what the server can run, and whether a definition of one's own is valid.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    client::{Client, fields::Fields},
    exit::{Exit, Failure},
    output::{
        self, table,
        text::{clean_block, shorten},
    },
};

/// Lists, shows and checks pipelines.
#[derive(Debug, Args)]
pub(crate) struct Pipelines {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the server's pipelines.
    List,
    /// Shows one of the server's pipelines.
    Show {
        /// Its name.
        name: String,
    },
    /// Checks a definition without a server.
    Check {
        /// The TOML file; its stem is the pipeline's name.
        file: PathBuf,
    },
}

impl Pipelines {
    /// The file to check, when that is what is asked for.
    pub(crate) fn file_to_check(&self) -> Option<&Path> {
        match &self.action {
            Action::Check { file } => Some(file),
            Action::List | Action::Show { .. } => None,
        }
    }
}

/// Checks a definition.
pub(crate) fn check(file: &Path, json: bool) -> anyhow::Result<Exit> {
    let source =
        std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("reading {}: {e}", file.display())))?;
    match shopfloor_pipelines::parse(&file.display().to_string(), &source) {
        Ok(pipeline) if json => output::json(&json!({"ok": true, "pipeline": pipeline.to_json()}))?,
        Ok(pipeline) => output::line(format!("{} is valid: {} steps", pipeline.name, pipeline.steps.len()))?,
        Err(error) if json => {
            output::json(&json!({"ok": false, "error": error.to_string()}))?;
            return Ok(Exit::Failed);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Ok)
}

/// Lists or shows.
pub(crate) async fn run(pipelines: Pipelines, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let list = client.list("/pipelines").await?;
    if let Action::Show { name } = pipelines.action {
        let found = list.iter().find(|entry| entry.text("name") == name);
        let known = || list.iter().map(|entry| entry.text("name")).collect::<Vec<_>>().join(", ");
        let entry = found.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no pipeline `{name}`"))
                .remedy(format!("one of: {}", known()))
        })?;
        show(entry, json)?;
        return Ok(Exit::Ok);
    }
    if json {
        output::json(&json!({"items": list}))?;
        return Ok(Exit::Ok);
    }
    let mut rows = table::new(&["pipeline", "needs", "steps", "description"]);
    for entry in &list {
        let words = |name: &str| entry.rows(name).iter().filter_map(Value::as_str).collect::<Vec<_>>();
        rows.add_row([
            entry.text("name").to_owned(),
            words("needs").join(", "),
            if entry["external"] == true { "(remote worker)".to_owned() } else { words("steps").join(" → ") },
            shorten(entry.text("description"), 80),
        ]);
    }
    table::print(&rows, "no pipelines")?;
    Ok(Exit::Ok)
}

fn show(entry: &Value, json: bool) -> anyhow::Result<()> {
    match json {
        true => output::json(entry),
        false => output::line(clean_block(entry.text("source").trim_end())),
    }
}
