//! `artifacts`: lists and downloads what a task produced.

use std::{
    io::Write,
    path::{Component, Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::show::artifact_table;
use crate::{
    client::{Client, fields::Fields, ids},
    exit::{Exit, Failure},
    output::{self, text::clean},
};

/// Lists and downloads what a task produced.
#[derive(Debug, Args)]
pub(crate) struct Artifacts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists a task's artifacts.
    List {
        /// The task's id, or the beginning or end of it.
        task: String,
    },
    /// Downloads artifacts.
    Get(Get),
}

/// Downloads artifacts.
#[derive(Debug, Args)]
struct Get {
    /// The task's id, or the beginning or end of it.
    task: String,
    /// The artifact's name; may be left out when there is one only.
    name: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// The folder to put them into.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    output: PathBuf,
}

/// Runs the command.
pub(crate) async fn run(artifacts: Artifacts, client: &Client, json: bool) -> anyhow::Result<Exit> {
    match artifacts.action {
        Action::List { task } => {
            let list = list(client, &ids::task(client, &task).await?).await?;
            match json {
                true => output::json(&json!({"items": list}))?,
                false if list.is_empty() => output::note("no artifacts"),
                false => artifact_table(&list)?,
            }
        }
        Action::Get(get) => {
            let mut written = Vec::new();
            let list = list(client, &ids::task(client, &get.task).await?).await?;
            for artifact in choose(&list, &get)? {
                let path = download(client, artifact, &get.output).await?;
                if !json {
                    output::line(path.display().to_string())?;
                }
                written.push(json!({"name": artifact["name"], "path": path.display().to_string()}));
            }
            if json {
                output::json(&json!({"items": written}))?;
            }
        }
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, task: &str) -> anyhow::Result<Vec<Value>> {
    client.list(&format!("/tasks/{task}/artifacts")).await
}

/// The artifacts that are asked for. Of several with one name (a step was repeated) the last one counts.
fn choose<'a>(list: &'a [Value], get: &Get) -> Result<Vec<&'a Value>, Failure> {
    let mut newest: Vec<&Value> = Vec::new();
    for artifact in list {
        newest.retain(|known| known.text("name") != artifact.text("name"));
        newest.push(artifact);
    }
    if let Some(name) = &get.name {
        newest.retain(|artifact| artifact.text("name") == name);
        if newest.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("the task has no artifact `{name}`")));
        }
    }
    match (newest.len(), get.all) {
        (0, _) => Err(Failure::new(Exit::NotFound, "the task has no artifacts")),
        (2.., false) => {
            let names: Vec<_> = newest.iter().map(|artifact| clean(artifact.text("name"))).collect();
            Err(Failure::usage("the task has several artifacts")
                .remedy(format!("--all, or one of: {}", names.join(", "))))
        }
        _ => Ok(newest),
    }
}

async fn download(client: &Client, artifact: &Value, dir: &Path) -> anyhow::Result<PathBuf> {
    let path = place(dir, artifact.text("name"))?;
    let folder = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let request = client.request(Method::GET, &format!("/artifacts/{}", artifact.text("id")));
    let mut response = client.send(request).await?;
    // Beside its final place and renamed at the end: a broken download leaves nothing that looks whole.
    let partial = PathBuf::from(format!("{}.part", path.display()));
    let mut file = std::fs::File::create(&partial).with_context(|| format!("creating {}", partial.display()))?;
    while let Some(chunk) = response.chunk().await.context("downloading")? {
        file.write_all(&chunk).with_context(|| format!("writing {}", partial.display()))?;
    }
    std::fs::rename(&partial, &path).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// Where an artifact goes. Its name comes from untrusted code and may not lead out of the folder.
fn place(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain || name.contains(|c: char| c.is_control() || c == '\\' || c == ':') {
        return Err(Failure::new(Exit::Failed, format!("the artifact's name `{}` is not safe to write", clean(name))));
    }
    let mut path = dir.to_owned();
    for part in relative.components() {
        path.push(part);
        if path.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
            return Err(Failure::new(Exit::Failed, format!("{} is a link; not writing through it", path.display())));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["", "../x", "/etc/passwd", "a/../../x", "a\\b", "c:x", "a\nb", ".."] {
            assert!(place(dir.path(), bad).is_err(), "{bad:?}");
        }
        assert_eq!(place(dir.path(), "plots/a.png").unwrap(), dir.path().join("plots/a.png"));
        std::os::unix::fs::symlink("/tmp", dir.path().join("link")).unwrap();
        assert!(place(dir.path(), "link/x").is_err());
    }

    #[test]
    fn the_newest_of_a_name_is_chosen() {
        let list = [json!({"id": "1", "name": "a"}), json!({"id": "2", "name": "b"}), json!({"id": "3", "name": "a"})];
        let get = |name: Option<&str>, all| Get {
            task: String::new(),
            name: name.map(str::to_owned),
            all,
            output: PathBuf::new(),
        };
        let ids = |get: Get| choose(&list, &get).map(|found| found.iter().map(|a| a.text("id")).collect::<Vec<_>>());
        assert_eq!(ids(get(Some("a"), false)).unwrap(), ["3"]);
        assert_eq!(ids(get(None, true)).unwrap(), ["2", "3"]);
        assert_eq!(ids(get(None, false)).unwrap_err().exit, Exit::USAGE);
        assert_eq!(ids(get(Some("z"), false)).unwrap_err().exit, Exit::NotFound);
    }
}
