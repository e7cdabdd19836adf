//! The code that a task brings: its source, its files, its arguments.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use shopfloor_domain::FileId;
use shopfloor_sandbox::Input;
use shopfloor_store::{StoreError, files};

use super::{
    Work,
    halt::{Halt, persist},
};

/// The script's name among the inputs.
pub(super) const SCRIPT: &str = "main.py";
const MAX_SOURCE: usize = 1024 * 1024;
const MAX_FILES: usize = 32;
const MAX_BYTES: u64 = 128 * 1024 * 1024;
const MAX_ARGS: usize = 100;

/// What the task's input says; other keys belong to the pipeline.
#[derive(Debug, Deserialize)]
struct CodeInput {
    code: Option<String>,
    file_id: Option<FileId>,
    #[serde(default)]
    files: Vec<FileInput>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    limits: LimitsInput,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileInput {
    file_id: FileId,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsInput {
    wall_seconds: Option<u64>,
}

/// The code, read.
#[derive(Debug)]
pub(super) struct Code {
    /// The script first, then its files.
    pub(super) inputs: Vec<Input>,
    pub(super) args: Vec<String>,
    pub(super) wall: Option<Duration>,
}

/// Why there is no code to run.
pub(super) enum NoCode {
    /// The task is wrong; a sentence for its submitter.
    Wrong(String),
    /// The machinery failed.
    Halt(Halt),
}

impl From<Halt> for NoCode {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl Work<'_> {
    /// Reads the task's code and files.
    pub(super) async fn code(&self) -> Result<Code, NoCode> {
        let input = CodeInput::deserialize(&self.task.input)
            .map_err(|error| NoCode::Wrong(format!("The task's input is not what the pipeline takes: {error}.")))?;
        check(&input).map_err(NoCode::Wrong)?;
        let mut budget = MAX_BYTES;
        let source = match (input.code, input.file_id) {
            (Some(code), None) => Bytes::from(code),
            (None, Some(file)) => self.file(file, "file_id", &mut budget).await?,
            _ => return Err(NoCode::Wrong("The task's input needs either `code` or `file_id`.".to_owned())),
        };
        if source.len() > MAX_SOURCE {
            return Err(NoCode::Wrong(format!("The source is {} bytes; at most {MAX_SOURCE} run.", source.len())));
        }
        let mut inputs = vec![Input { path: SCRIPT.to_owned(), bytes: source }];
        for file in input.files {
            let bytes = self.file(file.file_id, &file.name, &mut budget).await?;
            inputs.push(Input { path: file.name, bytes });
        }
        Ok(Code { inputs, args: input.args, wall: input.limits.wall_seconds.map(Duration::from_secs) })
    }

    async fn file(&self, id: FileId, name: &str, budget: &mut u64) -> Result<Bytes, NoCode> {
        let store = &self.deps.store;
        let missing = || NoCode::Wrong(format!("There is no file `{id}` in the task's project for `{name}`."));
        let file = match persist(self.held, || found(files::get(store, id))).await? {
            Some(file) if file.project_id == self.task.project_id => file,
            _ => return Err(missing()),
        };
        *budget = budget
            .checked_sub(file.size)
            .ok_or_else(|| NoCode::Wrong(format!("The task's files are larger than {MAX_BYTES} bytes together.")))?;
        persist(self.held, || found(store.blobs().get(&file.storage_key))).await?.ok_or_else(missing)
    }
}

/// `None` for what is not there.
async fn found<T>(get: impl Future<Output = Result<T, StoreError>>) -> Result<Option<T>, StoreError> {
    match get.await {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn check(input: &CodeInput) -> Result<(), String> {
    if input.files.len() > MAX_FILES {
        return Err(format!("The task has {} files; at most {MAX_FILES} go in.", input.files.len()));
    }
    if input.args.len() > MAX_ARGS || input.args.iter().any(|arg| arg.contains('\0')) {
        return Err(format!("At most {MAX_ARGS} arguments go in, none with a NUL in it."));
    }
    if input.limits.wall_seconds == Some(0) {
        return Err("`limits.wall_seconds` must be at least 1.".to_owned());
    }
    let mut names = BTreeSet::from([SCRIPT]);
    match input.files.iter().find(|file| !names.insert(&file.name)) {
        Some(file) => Err(format!("The file name `{}` is taken.", file.name)),
        None => Ok(()),
    }
}
