//! The step that runs the task's code.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use shopfloor_domain::{
    Name,
    sandbox::{Ending, Limits},
    step::StepStatus,
};
use shopfloor_pipelines::definition::{Action, Step as Defined};
use shopfloor_sandbox::{Command, Job, Outcome, SandboxError};
use shopfloor_store::{
    artifacts::NewArtifact,
    steps::{Step, StepResult},
};
use tokio_util::sync::CancellationToken;

use super::{
    Work, artifacts,
    code::{Code, NoCode, SCRIPT},
    halt::Halt,
    live,
    plan::question_name,
    step::Progress,
    text::{MAX_STREAM, clean, clean_json, head},
};
use crate::backend::chain;

/// How many questions the code of one step may ask.
const MAX_QUESTIONS: usize = 8;

impl Work<'_> {
    pub(super) async fn sandbox(&self, step: &Step, defined: &Defined, recorded: &[Step]) -> Result<Progress, Halt> {
        let Action::Sandbox { may_ask, wall_seconds, answers_from, .. } = &defined.action else {
            return self.fail(step, format!("Step `{}` runs no code.", defined.name)).await;
        };
        let code = match self.code().await {
            Ok(code) => code,
            Err(NoCode::Wrong(error)) => return self.fail(step, error).await,
            Err(NoCode::Halt(halt)) => return Err(halt),
        };
        let asked_before = answered(&question_name(defined), recorded).count();
        let job = self.job(code, *wall_seconds, answers(defined, answers_from, recorded));
        let mut outcome = match self.run_live(step, job).await? {
            Ok(outcome) => outcome,
            Err(SandboxError::Refused { field, problem }) => {
                return self.fail(step, format!("The sandbox refuses the code: {field}: {problem}.")).await;
            }
            Err(error) => return Err(Halt::Infrastructure(format!("The code could not be run: {}", chain(&error)))),
        };
        match outcome.ending {
            Ending::Cancelled if self.held.stop().is_cancelled() => return Err(Halt::Stopped),
            Ending::Cancelled | Ending::SandboxCrash | Ending::RuntimeUnavailable => {
                return Err(Halt::Infrastructure(format!("The sandbox failed: {}", sentence(&outcome))));
            }
            _ => {}
        }
        let stored = self.store_artifacts(std::mem::take(&mut outcome.artifacts)).await?;
        let result = judge(&outcome, &stored, *may_ask, asked_before);
        self.finish(step, result, stored).await
    }

    /// Runs a job and streams its output meanwhile.
    async fn run_live(&self, step: &Step, job: Job) -> Result<Result<Outcome, SandboxError>, Halt> {
        let (sink, pieces) = live::channel();
        let done = CancellationToken::new();
        let running = async {
            let outcome = self.deps.sandbox.run(job, sink, self.held.stop().clone()).await;
            done.cancel();
            outcome
        };
        let (outcome, ()) = tokio::join!(running, self.stream(step.id, pieces, done.clone()));
        let label = match &outcome {
            Ok(outcome) => outcome.ending,
            Err(_) => Ending::RuntimeUnavailable,
        };
        self.deps.metrics.sandbox_runs.with_label_values(&[label.as_str()]).inc();
        Ok(outcome)
    }

    fn job(&self, code: Code, wall_seconds: Option<u64>, answers: Vec<Value>) -> Job {
        let default = Limits::default();
        let narrowest = [wall_seconds.map(Duration::from_secs), code.wall, Some(default.wall)];
        let wall = narrowest.into_iter().flatten().min().unwrap_or(default.wall);
        Job {
            fence: self.held.fence(),
            command: Command::Python { script: SCRIPT.to_owned(), args: code.args },
            inputs: code.inputs,
            env: BTreeMap::new(),
            answers,
            limits: Limits { wall, ..default },
        }
    }
}

/// The answers that the code gets: those of the steps it builds on, then those to its own questions.
pub(super) fn answers(defined: &Defined, answers_from: &[Name], recorded: &[Step]) -> Vec<Value> {
    let newest = |name: &Name| answered(name.as_str(), recorded).last();
    let first = answers_from.iter().filter_map(newest);
    first.chain(answered(&question_name(defined), recorded)).cloned().collect()
}

fn answered<'r>(name: &str, recorded: &'r [Step]) -> impl Iterator<Item = &'r Value> {
    let name = name.to_owned();
    recorded
        .iter()
        .filter(move |step| step.name == name && step.status == StepStatus::Completed)
        .filter_map(|step| step.output.as_ref())
}

/// What a run makes of its step.
fn judge(outcome: &Outcome, stored: &[NewArtifact], may_ask: bool, asked_before: usize) -> StepResult {
    let mut output = report(outcome, stored);
    let failed = |error: String, output| StepResult::Failed { error, output: Some(output) };
    match (outcome.ending, &outcome.asked) {
        (Ending::Ok, _) => StepResult::Completed(output),
        (Ending::Asked, Some(_)) if !may_ask => {
            output["ending"] = json!(Ending::UserError);
            failed("The code asked a question, and this pipeline lets it ask none.".to_owned(), output)
        }
        (Ending::Asked, Some(_)) if asked_before >= MAX_QUESTIONS => {
            output["ending"] = json!(Ending::UserError);
            failed(format!("The code asked more than {MAX_QUESTIONS} questions."), output)
        }
        (Ending::Asked, Some(asked)) => {
            output["asked"] = clean_json(json!(asked));
            StepResult::Completed(output)
        }
        _ => failed(sentence(outcome), output),
    }
}

fn sentence(outcome: &Outcome) -> String {
    let detail = outcome.detail.as_deref().map(clean).filter(|detail| !detail.is_empty());
    detail.unwrap_or_else(|| format!("The run ended with `{}`.", outcome.ending))
}

/// The run as the task's result shows it.
fn report(outcome: &Outcome, stored: &[NewArtifact]) -> Value {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "ending": outcome.ending,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "stdout": clean(head(&outcome.stdout, MAX_STREAM)),
        "stderr": clean(head(&outcome.stderr, MAX_STREAM)),
        "detail": outcome.detail.as_deref().map(clean),
        "wall_ms": millis(outcome.wall),
        "cpu_ms": outcome.cpu.map(millis),
        "peak_memory": outcome.peak_memory,
        "sandbox_level": outcome.level,
        "artifacts": artifacts::listed(stored),
    })
}
