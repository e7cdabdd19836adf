//! Says how a run ended, from what was observed.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use shopfloor_domain::sandbox::{Ending, Limits, SandboxLevel};

use super::{
    artifacts::{Left, Refused},
    launch::Ended,
    output::Captured,
    watch::Excess,
};
use crate::Outcome;

const SIGKILL: i32 = 9;
/// A shell, which our process 1 is, reports a child that a signal ended as this plus the signal's number.
const SIGNALLED: i32 = 128;
const SIGNALS: i32 = 64;

/// Why we put an end to a run, or why there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    Cancelled,
    TimedOut,
    Flooded,
    Excess(Excess),
    /// The machinery failed, as told.
    Crashed(String),
}

/// All that was observed.
pub(super) struct Evidence<'a> {
    pub(super) limits: &'a Limits,
    pub(super) cut: Option<Cut>,
    pub(super) ended: Ended,
    pub(super) captured: Captured,
    pub(super) left: Left,
    pub(super) wall: Duration,
}

impl Evidence<'_> {
    /// The outcome of a run that took place.
    pub(super) fn outcome(self) -> Outcome {
        let (exit_code, signal) = self.status();
        let (ending, detail) = self.ending(exit_code, signal);
        let asked = self.left.question.and_then(Result::ok).filter(|_| ending == Ending::Asked);
        Outcome {
            ending,
            exit_code,
            signal,
            stdout: self.captured.stdout,
            stderr: self.captured.stderr,
            output_bytes: self.captured.bytes,
            artifacts: self.left.artifacts.unwrap_or_default(),
            asked,
            wall: self.wall,
            cpu: self.ended.usage.cpu,
            peak_memory: self.ended.usage.peak_memory,
            level: SandboxLevel::Local,
            detail,
        }
    }

    fn status(&self) -> (Option<i32>, Option<i32>) {
        if self.cut.is_some() {
            return (None, Some(SIGKILL));
        }
        match self.ended.status.code() {
            Some(code) if code > SIGNALLED && code <= SIGNALLED + SIGNALS => (None, Some(code - SIGNALLED)),
            code => (code, self.ended.status.signal()),
        }
    }

    fn ending(&self, exit_code: Option<i32>, signal: Option<i32>) -> (Ending, Option<String>) {
        let (ending, detail) = match &self.cut {
            Some(cut) => cut.ending(self.limits),
            None if self.ended.status.signal().is_some() => {
                let signal = self.ended.status.signal().unwrap_or_default();
                (Ending::SandboxCrash, format!("The sandbox was ended from outside by signal {signal}."))
            }
            None => match &self.left.question {
                Some(Ok(_)) => (Ending::Asked, "The code asks a question and is run again with the answer.".into()),
                Some(Err(problem)) => (
                    Ending::UserError,
                    format!("The code ended as if it asked a question, which cannot be read: {problem}."),
                ),
                None => self.own_ending(exit_code, signal),
            },
        };
        (ending, Some(detail).filter(|detail| !detail.is_empty()))
    }

    fn own_ending(&self, exit_code: Option<i32>, signal: Option<i32>) -> (Ending, String) {
        if exit_code == Some(0) {
            return match &self.left.artifacts {
                Ok(_) => (Ending::Ok, String::new()),
                Err(Refused::Limit(sentence)) => {
                    (Ending::ArtifactLimit, format!("The artifacts were not taken. {sentence}"))
                }
                Err(Refused::Io(error)) => (Ending::SandboxCrash, format!("The artifacts could not be read: {error}.")),
            };
        }
        let usage = &self.ended.usage;
        if usage.out_of_memory || (exit_code == Some(1) && ends_with_memory_error(&self.captured.stderr)) {
            return (Ending::OutOfMemory, too_much_memory(self.limits));
        }
        match (exit_code, signal) {
            (Some(code), _) => (Ending::UserError, format!("The code ended with exit code {code}.")),
            (None, Some(signal)) => (Ending::UserError, format!("The code was ended by signal {signal}.")),
            (None, None) => (Ending::SandboxCrash, "The sandbox ended without saying how.".into()),
        }
    }
}

impl Cut {
    fn ending(&self, limits: &Limits) -> (Ending, String) {
        match self {
            Self::Cancelled => (Ending::Cancelled, "The run was cancelled.".into()),
            Self::TimedOut => (Ending::TimedOut, format!("The code was stopped after {}.", seconds(limits.wall))),
            Self::Flooded => {
                let most = limits.output_bytes;
                (Ending::OutputLimit, format!("The code printed more than {most} bytes and was stopped."))
            }
            Self::Excess(Excess::Memory) => (Ending::OutOfMemory, too_much_memory(limits)),
            Self::Excess(Excess::Files) => (Ending::UserError, "The code made too many files and was stopped.".into()),
            Self::Crashed(why) => (Ending::SandboxCrash, format!("The sandbox broke: {why}.")),
        }
    }
}

/// The outcome when the job did not begin.
pub(super) fn without_running(cut: Cut) -> Outcome {
    let (ending, detail) = cut.ending(&Limits::default());
    Outcome {
        ending,
        exit_code: None,
        signal: None,
        stdout: String::new(),
        stderr: String::new(),
        output_bytes: 0,
        artifacts: Vec::new(),
        asked: None,
        wall: Duration::ZERO,
        cpu: None,
        peak_memory: None,
        level: SandboxLevel::Local,
        detail: Some(detail),
    }
}

fn too_much_memory(limits: &Limits) -> String {
    format!("The code wanted more than {} MiB of memory.", limits.memory_bytes / (1024 * 1024))
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds == 1.0 { "1 second".into() } else { format!("{seconds} seconds") }
}

/// Whether a Python traceback ends with a `MemoryError` or one of its kinds, e.g. NumPy's.
fn ends_with_memory_error(stderr: &str) -> bool {
    let last = stderr.lines().rev().map(str::trim_end).find(|line| !line.is_empty()).unwrap_or_default();
    let class = last.split(':').next().unwrap_or_default();
    class.rsplit('.').next().is_some_and(|name| name.trim_start_matches('_').ends_with("MemoryError"))
        && !class.contains(' ')
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;
    use crate::{job::Asked, local::cgroup::Usage};

    fn judged(cut: Option<Cut>, code: i32, change: impl FnOnce(&mut Evidence<'_>)) -> Outcome {
        let limits = Limits::default();
        let mut evidence = Evidence {
            limits: &limits,
            cut,
            ended: Ended { status: ExitStatus::from_raw(code << 8), usage: Usage::default() },
            captured: Captured::default(),
            left: Left { question: None, artifacts: Ok(Vec::new()) },
            wall: Duration::ZERO,
        };
        change(&mut evidence);
        evidence.outcome()
    }

    #[test]
    fn every_ending_has_its_cause() {
        let asked = || Asked { prompt: "?".into(), options: vec![], default: None, deadline_seconds: None };
        let ending = |cut, code, change: &dyn Fn(&mut Evidence<'_>)| judged(cut, code, change).ending;
        assert_eq!(ending(None, 0, &|_| {}), Ending::Ok);
        assert_eq!(ending(None, 3, &|_| {}), Ending::UserError);
        assert_eq!(ending(None, 139, &|_| {}), Ending::UserError);
        assert_eq!(ending(None, 137, &|it| it.ended.usage.out_of_memory = true), Ending::OutOfMemory);
        assert_eq!(ending(None, 1, &|it| it.captured.stderr = "x\nMemoryError: 5\n".into()), Ending::OutOfMemory);
        assert_eq!(ending(Some(Cut::Excess(Excess::Memory)), 137, &|_| {}), Ending::OutOfMemory);
        assert_eq!(ending(Some(Cut::TimedOut), 0, &|_| {}), Ending::TimedOut);
        assert_eq!(ending(Some(Cut::Flooded), 0, &|_| {}), Ending::OutputLimit);
        assert_eq!(ending(Some(Cut::Cancelled), 0, &|_| {}), Ending::Cancelled);
        assert_eq!(ending(Some(Cut::Crashed(String::new())), 0, &|_| {}), Ending::SandboxCrash);
        assert_eq!(ending(None, 0, &|it| it.ended.status = ExitStatus::from_raw(9)), Ending::SandboxCrash);
        assert_eq!(ending(None, 86, &|it| it.left.question = Some(Ok(asked()))), Ending::Asked);
        assert_eq!(ending(None, 86, &|it| it.left.question = Some(Err("x".into()))), Ending::UserError);
        let refuse = |it: &mut Evidence<'_>| it.left.artifacts = Err(Refused::Limit("Too many.".into()));
        assert_eq!(ending(None, 0, &refuse), Ending::ArtifactLimit);
        assert_eq!(ending(None, 1, &refuse), Ending::UserError);
    }

    #[test]
    fn codes_and_signals_are_told_apart() {
        let both = |code| (judged(None, code, |_| {}).exit_code, judged(None, code, |_| {}).signal);
        assert_eq!(both(0), (Some(0), None));
        assert_eq!(both(139), (None, Some(11)));
        assert_eq!(both(255), (Some(255), None));
        assert_eq!(judged(None, 0, |_| {}).detail, None);
        assert_eq!(judged(None, 2, |_| {}).detail.unwrap(), "The code ended with exit code 2.");
    }

    #[test]
    fn knows_a_memory_error() {
        assert!(ends_with_memory_error("Traceback\nMemoryError\n\n"));
        assert!(ends_with_memory_error("numpy._core._exceptions._ArrayMemoryError: Unable to allocate"));
        assert!(!ends_with_memory_error("ValueError: MemoryError"));
        assert!(!ends_with_memory_error("no MemoryError"));
        assert!(!ends_with_memory_error(""));
    }
}
