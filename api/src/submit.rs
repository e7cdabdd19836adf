//! From a submitted body to a task that fits the record: every check that the record does not make.

use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::Value;
use shopfloor_domain::{FileId, Name, Timestamp};
use shopfloor_pipelines::Entry;
use shopfloor_store::{
    StoreError, files,
    tasks::{NewTask, Submitted},
};

use crate::{
    app::AppState,
    auth::Caller,
    error::{ApiError, Result},
    limits, schema,
    views::{tasks::SubmitIn, text, workers::capabilities},
};

/// The pipeline of tasks that name none.
const USUAL_PIPELINE: &str = "run-code";
/// Files that one task may name.
const MAX_FILES: usize = 64;

/// The checked task.
pub(crate) async fn check(state: &AppState, caller: &Caller, body: SubmitIn, key: Option<String>) -> Result<NewTask> {
    let entry = pipeline(state, body.pipeline.as_ref())?;
    let input = body.input.clone().unwrap_or_else(|| serde_json::json!({}));
    check_input(state, entry.pipeline.input_schema.as_ref(), &input).await?;
    let mut needs = body.needs.clone();
    needs.0.extend(entry.pipeline.needs.0.iter().cloned());
    capabilities("needs", &needs)?;
    let attempts = body.max_attempts.unwrap_or(state.settings.retry.max_attempts);
    Ok(NewTask {
        run_at: due(&body, state.now())?,
        title: text::line("title", &body.title, limits::TITLE_CHARS)?,
        repository_url: text::optional_line("repository_url", body.repository_url.as_deref(), limits::URL_CHARS)?,
        branch_name: text::optional_line("branch_name", body.branch_name.as_deref(), limits::NAME_CHARS)?,
        description: text::block("description", body.description, limits::DESCRIPTION_BYTES)?,
        max_attempts: text::within("max_attempts", attempts, 1, limits::MAX_ATTEMPTS)?,
        project: body.project.unwrap_or(Name::DEFAULT),
        task_type: body.task_type,
        priority: body.priority,
        pipeline: entry.pipeline.name.clone(),
        pipeline_version: entry.version.clone(),
        definition: serde_json::to_value(&entry.pipeline).map_err(|error| ApiError::internal(&error))?,
        input,
        queue: body.queue.unwrap_or(Name::DEFAULT),
        needs,
        idempotency_key: key,
        created_by: caller.actor(),
    })
}

/// An input fits its pipeline, and the files that it names are there.
pub(crate) async fn check_input(state: &AppState, schema: Option<&Value>, input: &Value) -> Result<()> {
    if !input.is_object() {
        return Err(ApiError::invalid("input", "must be a JSON object"));
    }
    text::json("input", input, limits::INPUT_BYTES)?;
    schema::check("input", schema.unwrap_or(&Value::Null), input)?;
    check_files(state, input).await
}

/// The pipeline of this name.
fn pipeline<'a>(state: &'a AppState, name: Option<&Name>) -> Result<&'a Entry> {
    let known = |name: &str| state.pipelines.entries().find(|entry| entry.pipeline.name.as_str() == name);
    let name = name.map_or(USUAL_PIPELINE, Name::as_str);
    known(name).ok_or_else(|| {
        let names: Vec<_> = state.pipelines.entries().map(|entry| entry.pipeline.name.as_str()).collect();
        ApiError::invalid("pipeline", format!("there is no pipeline `{name}`; known are {}", names.join(", ")))
    })
}

fn due(body: &SubmitIn, now: Timestamp) -> Result<Option<Timestamp>> {
    match (body.run_at, body.delay_seconds) {
        (Some(_), Some(_)) => Err(ApiError::invalid("delay_seconds", "cannot be given together with `run_at`")),
        (None, Some(seconds)) => {
            let seconds = text::within("delay_seconds", seconds, 0, limits::DELAY_SECONDS)?;
            Ok(Some(now + Duration::from_secs(seconds)))
        }
        (Some(at), None) if at.since(now).as_secs() > limits::DELAY_SECONDS => {
            Err(ApiError::invalid("run_at", "is more than a year ahead"))
        }
        (run_at, None) => Ok(run_at),
    }
}

/// `input.file_id` and `input.files[].file_id` name files that exist.
async fn check_files(state: &AppState, input: &Value) -> Result<()> {
    let listed = input.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    text::at_most("input.files", listed, MAX_FILES)?;
    let listed =
        listed.iter().enumerate().map(|(at, file)| (format!("input.files[{at}].file_id"), file.get("file_id")));
    let single = [("input.file_id".to_owned(), input.get("file_id"))];
    for (field, id) in single.into_iter().chain(listed) {
        let Some(id) = id else { continue };
        let id: FileId = serde_json::from_value(id.clone()).map_err(|error| ApiError::invalid(&field, error))?;
        files::get(&state.store, id).await.map_err(|error| match error {
            StoreError::NotFound { .. } => ApiError::invalid(&field, format!("there is no file `{id}`")),
            other => other.into(),
        })?;
    }
    Ok(())
}

/// The `Idempotency-Key` header.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let name = "Idempotency-Key";
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| (1..=limits::NAME_CHARS).contains(&text.len()));
    match text {
        Some(text) if values.next().is_none() => Ok(Some(text.to_owned())),
        _ => {
            let detail = "`Idempotency-Key` must be one text of 1 to 255 visible ASCII characters";
            Err(ApiError::bad_request("invalid_header", detail).field(name))
        }
    }
}

/// After the commit: counts and publishes what was made.
pub(crate) async fn announce(state: &AppState, submitted: &[Submitted]) {
    let made: Vec<_> = submitted.iter().filter(|submitted| submitted.created).collect();
    for submitted in &made {
        state.metrics.orders_enqueued.with_label_values(&[submitted.task.priority.as_str()]).inc();
    }
    let places: Vec<_> = made.into_iter().filter_map(|submitted| submitted.place.clone()).collect();
    state.publish_new(&places).await;
}
