//! What goes into a sandbox and what comes out.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Fence,
    sandbox::{Ending, Limits, SandboxLevel},
};

/// What to run. The sandbox knows where the program is; a job never names a host path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The Python interpreter of the toolchain on `main.py` of the inputs, with these arguments. `shopfloor.ask` works.
    Python {
        /// The inputs' file to run.
        script: String,
        /// Arguments.
        args: Vec<String>,
    },
    /// A tool of the toolchain, `ruff` or `bandit`, with these arguments, in the inputs' folder.
    Tool {
        /// Its name.
        name: &'static str,
        /// Arguments.
        args: Vec<String>,
    },
}

/// A file to be there, read-only, when the job starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// A relative path, `/`-separated; checked: no `..`, no absolute path, no NUL, no control characters, ≤ 200 bytes.
    pub path: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The claim it runs for; a label of whatever runs it.
    pub fence: Fence,
    /// What to run.
    pub command: Command,
    /// Files in `/inputs` (read-only; also the script's folder).
    pub inputs: Vec<Input>,
    /// Extra environment, on top of a fixed one.
    pub env: BTreeMap<String, String>,
    /// Answers already given to `shopfloor.ask`, in the order of asking.
    pub answers: Vec<serde_json::Value>,
    /// The limits.
    pub limits: Limits,
}

/// Which stream a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of live output. Text: invalid UTF-8 has been replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where it came from.
    pub stream: Stream,
    /// What it says.
    pub text: String,
}

/// A file that the job left in `/work/artifacts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Its relative path.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A question that the job asked with `shopfloor.ask`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The question, in Markdown.
    pub prompt: String,
    /// Answers to choose from.
    #[serde(default)]
    pub options: Vec<serde_json::Value>,
    /// What counts as the answer when nobody gives one.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
    /// How long to wait for a person, in seconds.
    #[serde(default)]
    pub deadline_seconds: Option<u64>,
}

/// How a run ended and what it left.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Its exit code, when it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The head of its standard output, at most `limits.output_bytes`.
    pub stdout: String,
    /// The head of its standard error, likewise.
    pub stderr: String,
    /// Bytes that it printed in all, as far as they were counted.
    pub output_bytes: u64,
    /// What it left.
    pub artifacts: Vec<Collected>,
    /// What it asked, when `ending` is `asked`.
    pub asked: Option<Asked>,
    /// Wall-clock time.
    pub wall: Duration,
    /// CPU time, when it could be measured.
    pub cpu: Option<Duration>,
    /// Peak memory in bytes, when it could be measured.
    pub peak_memory: Option<u64>,
    /// The isolation that was in force.
    pub level: SandboxLevel,
    /// One sentence for people when `ending` is not `ok`.
    pub detail: Option<String>,
}
