//! How the program ends: exit codes, and errors that carry one.

use std::{fmt, process::ExitCode};

/// What the exit code says. `docs/cli.md` lists the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It worked.
    Ok = 0,
    /// It failed: the task, the command, or the program.
    Failed = 1,
    /// The command line is wrong, or the task was cancelled.
    Cancelled = 2,
    /// There is no such task, question, …
    NotFound = 3,
    /// The key is missing, wrong, or may not do this.
    Auth = 4,
    /// A person has to answer first.
    Waiting = 5,
    /// The server cannot be reached.
    Unreachable = 6,
}

impl Exit {
    /// A wrong command line; the same number as a cancelled task.
    pub(crate) const USAGE: Self = Self::Cancelled;
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with its exit code and, where there is one, a remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What went wrong, in one sentence.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Failure {
    /// A failure without a remedy.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), remedy: None }
    }

    /// The command line asks for something that cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::USAGE, message)
    }

    /// The same failure with a remedy.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The exit code of an error: that of the [`Failure`] in its chain, or 1.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit)
}

/// The error as a sentence with its causes, and its remedy on a line of its own.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error:#}");
    if let Some(remedy) = error.downcast_ref::<Failure>().and_then(|failure| failure.remedy.as_deref()) {
        text.push_str("\n  try: ");
        text.push_str(remedy);
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_failure_keeps_its_code_through_contexts() {
        let error = Err::<(), _>(Failure::new(Exit::Auth, "no key").remedy("make one")).context("listing").unwrap_err();
        assert_eq!(of(&error), Exit::Auth);
        assert_eq!(explain(&error), "error: listing: no key\n  try: make one");
        assert_eq!(of(&anyhow::anyhow!("something")), Exit::Failed);
    }
}
