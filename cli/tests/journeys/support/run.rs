//! A command that has run.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use super::in_time;

/// What a command came to.
pub(crate) struct Ran {
    what: String,
    /// Its exit code.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Ran {
    /// Runs a command to its end.
    pub(crate) async fn finish(args: &[&str], mut command: Command) -> Self {
        let what = args.join(" ");
        let began = Instant::now();
        let output = in_time(&what, command.output()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("`{what}` was killed: {}", output.status));
        Self { what, code, stdout: text(output.stdout), stderr: text(output.stderr), took: began.elapsed() }
    }

    /// It must have ended with this code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        let Self { what, stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "`shopfloor {what}`\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    /// Its standard output, which must be one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("`{}`: {e}:\n{}", self.what, self.stdout))
    }
}
