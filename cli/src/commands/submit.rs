//! `submit`: a script and its inputs become a task.

use std::{io::Read, path::Path, time::Duration};

use anyhow::Context;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};
use shopfloor_domain::{Name, Priority, task::TaskType};

use super::{
    inputs,
    wait::{self, WaitArgs},
};
use crate::{
    client::{Client, fields::Fields, ids::short, upload},
    exit::{Exit, Failure},
    output,
};

/// The pipeline that runs a script.
const RUN_CODE: &str = "run-code";
/// A script up to this size travels in the request itself; a larger one is uploaded first.
const INLINE: usize = 128 * 1024;
/// The most that is read of a script.
const MAX_SCRIPT: u64 = 16 * 1024 * 1024;

/// Submits a script as a task.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The script; `-` reads standard input. May be left out when the pipeline needs none.
    file: Option<String>,
    /// The pipeline that does the work.
    #[arg(long, short, default_value = RUN_CODE, value_parser = name)]
    pipeline: Name,
    /// One line for people; the script's name when absent.
    #[arg(long, short)]
    title: Option<String>,
    /// As long a description as it takes.
    #[arg(long)]
    description: Option<String>,
    /// An input file, to be found in /inputs by its own name; NAME=FILE gives it another. May be repeated.
    #[arg(long = "input", short, value_name = "FILE")]
    inputs: Vec<String>,
    /// The pipeline's input as a JSON object; the other options are put on top of it.
    #[arg(long, value_name = "JSON")]
    input_json: Option<String>,
    /// One field of the pipeline's input; dots go deeper. May be repeated.
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// An argument of the script. May be repeated.
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,
    /// A shorter wall clock than the pipeline's, in seconds.
    #[arg(long, value_name = "SECONDS")]
    wall: Option<u64>,
    /// high, normal or low.
    #[arg(long, value_parser = word::<Priority>)]
    priority: Option<Priority>,
    /// feature, bugfix, test, docs, code, image or quick_fix.
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<TaskType>)]
    task_type: Option<TaskType>,
    /// The project.
    #[arg(long, value_parser = name)]
    project: Option<Name>,
    /// The queue.
    #[arg(long, value_parser = name)]
    queue: Option<Name>,
    /// What a worker needs besides what the pipeline says, e.g. `gpu`. May be repeated.
    #[arg(long, value_name = "CAPABILITY", value_parser = name)]
    needs: Vec<Name>,
    /// Not before this time has passed, e.g. 90s or 2h.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    delay: Option<Duration>,
    /// How often it is tried at most. With 1, it does not run again when its worker is lost.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: Option<u32>,
    /// The same key with the same request gives the same task, however often it is sent.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

fn name(text: &str) -> Result<Name, shopfloor_domain::InvalidName> {
    text.parse()
}

/// Parses one of the domain's words.
pub(crate) fn word<T: std::str::FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

/// Submits, and waits if asked to.
pub(crate) async fn run(submit: Submit, client: &Client, json: bool) -> anyhow::Result<Exit> {
    let body = body(&submit, client).await?;
    let mut request = client.request(Method::POST, "/tasks").json(&body);
    if let Some(key) = &submit.idempotency_key {
        request = request.header("Idempotency-Key", key);
    }
    let task = client.json(request).await?;
    if !submit.wait.wait {
        match json {
            true => output::json(&task)?,
            false => output::line(task.text("id"))?,
        }
        return Ok(Exit::Ok);
    }
    let id = task.text("id");
    output::note(format!("task {id}"));
    let waited = wait::wait(client, id, submit.wait.stay).await?;
    finish(client, &waited, json).await
}

/// Prints how a wait ended.
pub(crate) async fn finish(client: &Client, waited: &wait::Waited, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(&waited.task)?;
        return Ok(waited.exit);
    }
    let id = waited.task.text("id");
    output::raw("stdout", waited.task["result"].text("stdout"))?;
    output::raw("stderr", waited.task["result"].text("stderr"))?;
    if let Some(failure) = wait::verdict(waited) {
        super::show::findings(&waited.task["result"]);
        output::note(crate::exit::explain(&failure.into()));
        return Ok(waited.exit);
    }
    let artifacts = client.list(&format!("/tasks/{id}/artifacts")).await?;
    if !artifacts.is_empty() {
        let names: Vec<_> = artifacts.iter().map(|artifact| output::text::clean(artifact.text("name"))).collect();
        output::note(format!("artifacts: {}", names.join(", ")));
        output::note(format!("  shopfloor artifacts get {} --all", short(id)));
    }
    Ok(waited.exit)
}

async fn body(submit: &Submit, client: &Client) -> anyhow::Result<Value> {
    let input = input(submit, client).await?;
    let title = submit.title.clone().or_else(|| submit.file.as_deref().map(default_title));
    let title = title.unwrap_or_else(|| submit.pipeline.to_string());
    let mut body = json!({"title": title, "pipeline": submit.pipeline, "input": input});
    let mut put = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[field] = value;
        }
    };
    put("description", submit.description.as_deref().map(Value::from));
    put("priority", submit.priority.map(|priority| json!(priority)));
    put("task_type", submit.task_type.map(|task_type| json!(task_type)));
    put("project", submit.project.as_ref().map(|project| json!(project)));
    put("queue", submit.queue.as_ref().map(|queue| json!(queue)));
    put("needs", (!submit.needs.is_empty()).then(|| json!(submit.needs)));
    put("delay_seconds", submit.delay.map(|delay| json!(delay.as_secs())));
    put("max_attempts", submit.max_attempts.map(Value::from));
    Ok(body)
}

async fn input(submit: &Submit, client: &Client) -> anyhow::Result<Map<String, Value>> {
    let nothing = submit.file.is_none() && submit.input_json.is_none() && submit.set.is_empty();
    if nothing && submit.pipeline.as_str() == RUN_CODE {
        let missing = Failure::usage("there is no script to run");
        return Err(missing.remedy("shopfloor submit FILE, or `-` to read it from standard input").into());
    }
    let mut input = match &submit.input_json {
        Some(text) => inputs::object(text)?,
        None => Map::new(),
    };
    let project = submit.project.as_ref().map(Name::as_str);
    if let Some(file) = &submit.file {
        match script(file)? {
            Script::Inline(code) => input.insert("code".into(), code.into()),
            Script::Large(bytes) => {
                let stored = upload::bytes(client, project, &default_title(file), bytes).await?;
                input.insert("file_id".into(), stored["id"].clone())
            }
        };
    }
    let mut files = Vec::new();
    for given in &submit.inputs {
        let (name, bytes) = upload::read(given)?;
        let stored = upload::bytes(client, project, &name, bytes).await?;
        files.push(json!({"file_id": stored["id"], "name": name}));
    }
    if !files.is_empty() {
        input.insert("files".into(), files.into());
    }
    if !submit.args.is_empty() {
        input.insert("args".into(), json!(submit.args));
    }
    if let Some(wall) = submit.wall {
        inputs::set(&mut input, &format!("limits.wall_seconds={wall}"))?;
    }
    submit.set.iter().try_for_each(|assignment| inputs::set(&mut input, assignment))?;
    Ok(input)
}

enum Script {
    Inline(String),
    Large(Vec<u8>),
}

fn script(file: &str) -> anyhow::Result<Script> {
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = match file {
        "-" => Box::new(std::io::stdin()),
        path => Box::new(std::fs::File::open(path).map_err(|e| Failure::usage(format!("opening {path}: {e}")))?),
    };
    source.take(MAX_SCRIPT + 1).read_to_end(&mut bytes).with_context(|| format!("reading {file}"))?;
    if bytes.len() as u64 > MAX_SCRIPT {
        return Err(Failure::usage(format!("{file} is larger than 16 MiB")).into());
    }
    Ok(match String::from_utf8(bytes) {
        Ok(code) if code.len() <= INLINE => Script::Inline(code),
        Ok(code) => Script::Large(code.into_bytes()),
        Err(error) => return Err(Failure::usage(format!("{file} is not UTF-8 text: {error}")).into()),
    })
}

fn default_title(file: &str) -> String {
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    name.filter(|_| file != "-").unwrap_or("stdin.py").to_owned()
}
