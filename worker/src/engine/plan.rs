//! What comes next in a run: a pure function of its definition and its recorded steps.
//!
//! Two kinds of steps are not in the definition. A sandbox step whose code asked a person is followed by a question
//! step, `NAME.ask`, and then runs again. A step whose rounds are used up with `then = "ask"` is followed by a decision,
//! `NAME.decide`. No definition can hold these names, since names have no dots.

use shopfloor_domain::{
    sandbox::Ending,
    step::{StepKind, StepStatus},
};
use shopfloor_pipelines::definition::{Pipeline, Step as Defined, Then};
use shopfloor_store::steps::Step as Recorded;

/// Marks a failure of the critic itself: no `on_fail` leads around it.
pub(crate) const CRITIC_UNAVAILABLE: &str = "critic_unavailable";
/// No run has more steps than this; only a loop of rounds within rounds comes near it.
const MAX_RECORDED: usize = 1000;

/// What a place of the run is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Work<'d> {
    /// A step of the definition.
    Step(&'d Defined),
    /// A question that the code of this sandbox step asked.
    Question(&'d Defined),
    /// Whether to go on although this step failed.
    Decision(&'d Defined),
}

/// A place of the run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place<'d> {
    pub(crate) order_index: u32,
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    pub(crate) round: u32,
    pub(crate) work: Work<'d>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next<'d> {
    /// Begin this place, or take over what stands there unfinished.
    Begin(Place<'d>),
    /// The step at this place waits for a person.
    Wait(Place<'d>),
    /// Every step is done.
    Done,
    /// The run failed, at the recorded step of this index.
    Failed(usize),
}

/// The record does not fit the definition: it was not this definition that led to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run's record does not fit its definition at place {at}: {problem}")]
pub(crate) struct Misfit {
    at: usize,
    problem: String,
}

impl<'d> Work<'d> {
    fn name(self) -> String {
        match self {
            Self::Step(step) => step.name.to_string(),
            Self::Question(step) => question_name(step),
            Self::Decision(step) => format!("{}.decide", step.name),
        }
    }

    const fn kind(self) -> StepKind {
        match self {
            Self::Step(step) => step.action.kind(),
            Self::Question(_) => StepKind::Ask,
            Self::Decision(_) => StepKind::Approval,
        }
    }
}

/// The name of the questions that this step's code asks.
pub(crate) fn question_name(step: &Defined) -> String {
    format!("{}.ask", step.name)
}

/// Walks the record through the definition.
pub(crate) fn next<'d>(pipeline: &'d Pipeline, recorded: &[Recorded]) -> Result<Next<'d>, Misfit> {
    let misfit = |at, problem: String| Misfit { at, problem };
    if pipeline.external {
        let problem = "only a remote worker can do it; take what it needs off this worker's capabilities";
        return Err(misfit(0, problem.to_owned()));
    }
    let Some(first) = pipeline.steps.first() else {
        return Err(misfit(0, "the definition has no steps".to_owned()));
    };
    let mut work = Work::Step(first);
    for (at, step) in recorded.iter().enumerate() {
        let place = place(work, &recorded[..at]);
        if (step.order_index, &step.name, step.kind, step.round)
            != (place.order_index, &place.name, place.kind, place.round)
        {
            let found = format!("`{}` in round {} at {}", step.name, step.round, step.order_index);
            return Err(misfit(at, format!("expected `{}` in round {}, found {found}", place.name, place.round)));
        }
        let last = at + 1 == recorded.len();
        let after = match step.status {
            StepStatus::Pending | StepStatus::Running if last => return Ok(Next::Begin(place)),
            StepStatus::Waiting if last => return Ok(Next::Wait(place)),
            StepStatus::Pending | StepStatus::Running | StepStatus::Waiting => {
                return Err(misfit(at, format!("`{}` is {} and others follow it", step.name, step.status)));
            }
            StepStatus::Completed | StepStatus::Skipped => after_success(pipeline, work, step),
            StepStatus::Failed => after_failure(pipeline, work, step, &recorded[..at]),
            StepStatus::Cancelled => After::Failed,
        };
        match after {
            After::Work(_) if at + 1 >= MAX_RECORDED => return Ok(Next::Failed(at)),
            After::Work(next) => work = next,
            After::Done | After::Failed if !last => {
                return Err(misfit(at, format!("`{}` ends the run and others follow it", step.name)));
            }
            After::Done => return Ok(Next::Done),
            After::Failed => return Ok(Next::Failed(at)),
        }
    }
    Ok(Next::Begin(place(work, recorded)))
}

enum After<'d> {
    Work(Work<'d>),
    Done,
    Failed,
}

fn place<'d>(work: Work<'d>, earlier: &[Recorded]) -> Place<'d> {
    let name = work.name();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let round = count(earlier.iter().filter(|step| step.name == name).count());
    Place { order_index: count(earlier.len()), name, kind: work.kind(), round, work }
}

fn after_success<'d>(pipeline: &'d Pipeline, work: Work<'d>, recorded: &Recorded) -> After<'d> {
    match work {
        Work::Step(step) if asked(recorded) => After::Work(Work::Question(step)),
        Work::Question(step) => After::Work(Work::Step(step)),
        Work::Step(step) | Work::Decision(step) => {
            let following = pipeline.steps.iter().skip_while(|other| other.name != step.name).nth(1);
            following.map_or(After::Done, |next| After::Work(Work::Step(next)))
        }
    }
}

fn after_failure<'d>(pipeline: &'d Pipeline, work: Work<'d>, recorded: &Recorded, earlier: &[Recorded]) -> After<'d> {
    let step = match work {
        Work::Step(step) | Work::Question(step) => step,
        Work::Decision(_) => return After::Failed,
    };
    let Some(on_fail) = step.on_fail.as_ref().filter(|_| !is_unavailable(recorded)) else { return After::Failed };
    let names = [step.name.to_string(), question_name(step)];
    let rounds = earlier.iter().filter(|other| names.contains(&other.name) && other.status == StepStatus::Failed);
    let used = rounds.count();
    match on_fail.then {
        _ if used < on_fail.max_rounds as usize => {
            let target = pipeline.steps.iter().find(|other| other.name == on_fail.goto);
            target.map_or(After::Failed, |target| After::Work(Work::Step(target)))
        }
        Then::Fail => After::Failed,
        Then::Ask => After::Work(Work::Decision(step)),
    }
}

fn asked(recorded: &Recorded) -> bool {
    recorded.kind == StepKind::Sandbox && text(recorded, "ending") == Some(Ending::Asked.as_str())
}

fn is_unavailable(recorded: &Recorded) -> bool {
    text(recorded, "code") == Some(CRITIC_UNAVAILABLE)
}

fn text<'r>(recorded: &'r Recorded, key: &str) -> Option<&'r str> {
    recorded.output.as_ref()?.get(key)?.as_str()
}

#[cfg(test)]
mod tests;
