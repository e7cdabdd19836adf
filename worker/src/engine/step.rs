//! One step: begun, done, recorded.

use serde_json::{Map, Value, json};
use shopfloor_domain::question::QuestionStatus;
use shopfloor_pipelines::definition::Action;
use shopfloor_store::{
    artifacts::NewArtifact,
    questions,
    steps::{self, BeginStep, Step, StepResult},
};

use super::{
    Work,
    halt::{Halt, persist},
    plan::{self, Place},
};

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its end is recorded.
    Recorded,
    /// It waits for a person, and the grace is over.
    Park,
}

impl Work<'_> {
    /// Begins a place of the run, or takes it over, and brings it to its end.
    pub(super) async fn begin(&self, place: Place<'_>, recorded: &[Step]) -> Result<Progress, Halt> {
        let recorded = &recorded[..place.order_index as usize];
        let begin = BeginStep {
            order_index: place.order_index,
            name: place.name.clone(),
            kind: place.kind,
            agent_name: None,
            round: place.round,
            input: self.step_input(&place, recorded),
        };
        let step = persist(self.held, || {
            steps::begin(&self.deps.store, self.held.fence(), self.run.id, begin.clone(), self.deps.clock.now())
        })
        .await?;
        match place.work {
            plan::Work::Step(defined) => match &defined.action {
                Action::Critic { .. } => self.critic(&step).await,
                Action::Sandbox { .. } => self.sandbox(&step, defined, recorded).await,
                Action::Ask { .. } | Action::Approval { .. } => self.ask(&step, &place, recorded).await,
            },
            plan::Work::Question(_) | plan::Work::Decision(_) => self.ask(&step, &place, recorded).await,
        }
    }

    /// Goes on with a step that waits for a person.
    pub(super) async fn resume(&self, place: Place<'_>, recorded: &[Step]) -> Result<Progress, Halt> {
        let (recorded, [step]) = recorded.split_at(place.order_index as usize) else {
            return Err(Halt::Moved(format!("step `{}` is gone", place.name)));
        };
        match persist(self.held, || questions::of_step(&self.deps.store, step.id)).await? {
            Some(question) if question.status != QuestionStatus::Cancelled => self.wait_for(step, question).await,
            Some(_) if self.is_cancelled().await? => Err(Halt::Cancelled),
            // It was withdrawn when an earlier order of the run died: ask again.
            Some(_) => self.ask(step, &place, recorded).await,
            None => Err(Halt::Infrastructure(format!("step `{}` waits for a question that is not there", step.name))),
        }
    }

    /// Records the end of a step.
    pub(super) async fn finish(
        &self,
        step: &Step,
        result: StepResult,
        artifacts: Vec<NewArtifact>,
    ) -> Result<Progress, Halt> {
        persist(self.held, || {
            let now = self.deps.clock.now();
            steps::finish(&self.deps.store, self.held.fence(), step.id, result.clone(), artifacts.clone(), None, now)
        })
        .await?;
        Ok(Progress::Recorded)
    }

    /// Records that the work of a step failed, without anything to show for it.
    pub(super) async fn fail(&self, step: &Step, error: String) -> Result<Progress, Halt> {
        self.finish(step, StepResult::Failed { error, output: None }, Vec::new()).await
    }

    /// What templates see: the task, its input, and the newest output of every step by name.
    pub(super) fn context(&self, recorded: &[Step]) -> Value {
        let outputs: Map<String, Value> =
            recorded.iter().filter_map(|step| Some((step.name.clone(), step.output.clone()?))).collect();
        json!({
            "input": self.task.input,
            "task": {
                "id": self.task.id,
                "title": self.task.title,
                "description": self.task.description,
                "type": self.task.task_type,
                "priority": self.task.priority,
                "project": self.task.project,
            },
            "steps": outputs,
        })
    }

    /// What a step is given, as far as it is worth recording: code and files are in the task's input already.
    fn step_input(&self, place: &Place<'_>, recorded: &[Step]) -> Value {
        match place.work {
            plan::Work::Step(defined) => match &defined.action {
                Action::Sandbox { answers_from, .. } => {
                    json!({ "answers": super::sandbox::answers(defined, answers_from, recorded) })
                }
                _ => json!({}),
            },
            plan::Work::Question(_) => {
                recorded.last().and_then(|step| step.output.as_ref()?.get("asked").cloned()).unwrap_or_default()
            }
            plan::Work::Decision(_) => json!({ "error": recorded.last().and_then(|step| step.error.clone()) }),
        }
    }
}
