//! The step that checks the task's code before anything runs. It fails closed: a tool that is missing, crashes, takes too
//! long or says something unreadable means that nothing runs.

mod bandit;
mod finding;
mod ruff;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::json;
use shopfloor_domain::sandbox::{Ending, Limits};
use shopfloor_sandbox::{Command, Input, Job, Outcome, SandboxError};
use shopfloor_store::steps::{Step, StepResult};

use self::finding::{Finding, worst_first};
use super::{
    Work,
    code::{NoCode, SCRIPT},
    halt::Halt,
    plan::CRITIC_UNAVAILABLE,
    step::Progress,
    text::{clean, head},
};
use crate::backend::chain;

/// How long one tool may take.
const WALL: Duration = Duration::from_secs(30);
/// How much one tool may say.
const OUTPUT: u64 = 8 * 1024 * 1024;
/// Findings in a result; the blocking ones come first.
const MAX_FINDINGS: usize = 200;

/// Why the code could not be checked, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unavailable {
    problem: String,
    remedy: String,
}

impl Unavailable {
    fn of_tool(tool: &str, problem: impl Into<String>) -> Self {
        let remedy = format!("run `shopfloor doctor`, which checks `{tool}` and says what to install");
        Self { problem: format!("`{tool}` {}", problem.into()), remedy }
    }
}

/// A tool's run that did not come to findings.
enum Fault {
    Unavailable(Unavailable),
    Halt(Halt),
}

impl Work<'_> {
    pub(super) async fn critic(&self, step: &Step) -> Result<Progress, Halt> {
        let code = match self.code().await {
            Ok(code) => code,
            Err(NoCode::Wrong(error)) => return self.fail(step, error).await,
            Err(NoCode::Halt(halt)) => return Err(halt),
        };
        let result = match self.findings(code.inputs).await {
            Ok(findings) => self.verdict(findings),
            Err(Fault::Unavailable(unavailable)) => closed(&unavailable),
            Err(Fault::Halt(halt)) => return Err(halt),
        };
        self.finish(step, result, Vec::new()).await
    }

    async fn findings(&self, inputs: Vec<Input>) -> Result<Vec<Finding>, Fault> {
        let (sources, names) = renamed(inputs);
        let paths: Vec<String> = sources.iter().map(|source| source.path.clone()).collect();
        let (ruff, bandit) = tokio::join!(
            self.tool(ruff::NAME, ruff::args(&paths), &sources),
            self.tool(bandit::NAME, bandit::args(&paths), &sources),
        );
        let mut findings = ruff::read(&ruff?).map_err(Fault::Unavailable)?;
        let parses = !findings.iter().any(Finding::is_syntax);
        let more = bandit::read(&bandit?).map_err(Fault::Unavailable)?;
        // Both say so when the code does not parse; ruff knows where.
        findings.extend(more.into_iter().filter(|finding| parses || !finding.is_syntax()));
        for finding in &mut findings {
            finding.file = finding.file.take().map(|alias| names.get(&alias).cloned().unwrap_or(alias));
        }
        findings.sort_by(worst_first);
        Ok(findings)
    }

    /// Runs one tool on the sources and gives what it printed.
    async fn tool(&self, name: &'static str, args: Vec<String>, sources: &[Input]) -> Result<String, Fault> {
        let job = Job {
            fence: self.held.fence(),
            command: Command::Tool { name, args },
            inputs: sources.to_vec(),
            env: BTreeMap::new(),
            answers: Vec::new(),
            limits: Limits { wall: WALL, output_bytes: OUTPUT, ..Limits::default() },
        };
        let outcome = self.deps.sandbox.run(job, Arc::new(drop), self.held.stop().clone()).await;
        match outcome {
            Ok(outcome) if outcome.ending == Ending::Cancelled && self.held.stop().is_cancelled() => {
                Err(Fault::Halt(Halt::Stopped))
            }
            Ok(outcome) => printed(name, outcome).map_err(Fault::Unavailable),
            Err(SandboxError::ToolMissing { tool, remedy }) => {
                let problem = format!("`{tool}` is not in the toolchain");
                Err(Fault::Unavailable(Unavailable { problem, remedy }))
            }
            Err(SandboxError::Unavailable { required, remedy }) => {
                let problem = format!("no sandbox of level `{required}` is there to run `{name}` in");
                Err(Fault::Unavailable(Unavailable { problem, remedy }))
            }
            Err(SandboxError::Refused { field, problem }) => {
                Err(Fault::Unavailable(Unavailable::of_tool(name, format!("was refused: {field}: {problem}"))))
            }
            Err(error @ SandboxError::Io { .. }) => {
                Err(Fault::Halt(Halt::Infrastructure(format!("`{name}` could not be run: {}", chain(&error)))))
            }
        }
    }

    fn verdict(&self, mut findings: Vec<Finding>) -> StepResult {
        for finding in &findings {
            self.deps.metrics.critic_findings.with_label_values(&[finding.tool, finding.severity.as_str()]).inc();
        }
        let blocking: Vec<String> = findings.iter().filter(|f| f.blocking).take(3).map(Finding::sentence).collect();
        let found = findings.len();
        findings.truncate(MAX_FINDINGS);
        let output = json!({ "findings": findings, "found": found, "blocked": !blocking.is_empty() });
        if blocking.is_empty() {
            return StepResult::Completed(output);
        }
        let error = format!("The critic blocked the code: {}", blocking.join("; "));
        StepResult::Failed { error, output: Some(output) }
    }
}

/// The task's Python under names of ours, and what those stand for. So no file can be taken for a tool's configuration,
/// lie in a folder that a tool passes over, or look like an option.
fn renamed(inputs: Vec<Input>) -> (Vec<Input>, BTreeMap<String, String>) {
    let mut names = BTreeMap::new();
    let python = inputs.into_iter().filter(|input| input.path.ends_with(".py"));
    let sources = python
        .enumerate()
        .map(|(index, input)| {
            let alias = if input.path == SCRIPT { SCRIPT.to_owned() } else { format!("file{index}.py") };
            names.insert(alias.clone(), clean(&input.path));
            Input { path: alias, ..input }
        })
        .collect();
    (sources, names)
}

/// What a tool printed, when it did its work: exit code 0, or 1 for "there are findings".
fn printed(name: &'static str, outcome: Outcome) -> Result<String, Unavailable> {
    match (outcome.ending, outcome.exit_code) {
        (Ending::Ok, _) | (Ending::UserError, Some(1)) => Ok(outcome.stdout),
        (ending, code) => {
            let said = clean(head(outcome.stderr.trim(), 500));
            let code = code.map_or_else(String::new, |code| format!(" and exit code {code}"));
            let said = if said.is_empty() { outcome.detail.unwrap_or_default() } else { said };
            Err(Unavailable::of_tool(name, format!("ended with `{ending}`{code}: {said}")))
        }
    }
}

/// Nothing runs.
fn closed(unavailable: &Unavailable) -> StepResult {
    let Unavailable { problem, remedy } = unavailable;
    StepResult::Failed {
        error: format!("The critic could not check the code, so it was not run: {problem}. Remedy: {remedy}."),
        output: Some(json!({
            "findings": [],
            "blocked": true,
            "code": CRITIC_UNAVAILABLE,
            "problem": problem,
            "remedy": remedy,
        })),
    }
}
