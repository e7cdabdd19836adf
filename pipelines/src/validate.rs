//! What types cannot say: names that must be unique or known, numbers in range, templates and schemas that must parse.

use std::fmt;

use serde_json::Value;
use shopfloor_domain::Name;

use crate::{
    definition::{Action, OnFail, Pipeline, Step, max_wall_seconds},
    template,
};

/// The longest deadline, in seconds: 30 days.
const MAX_DEADLINE: u64 = 30 * 24 * 60 * 60;
const MAX_ROUNDS: u32 = 10;
const MAX_OPTIONS: usize = 100;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The step's place, when it is about one.
    pub(crate) step: Option<usize>,
    /// The field, e.g. `steps.check.on_fail.goto`.
    pub(crate) field: String,
    /// In one sentence.
    pub(crate) problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// The first thing that is wrong with a pipeline.
pub(crate) fn problem(pipeline: &Pipeline) -> Option<Problem> {
    let whole = whole_problem;
    if pipeline.description.trim().is_empty() {
        return whole("description", "say in one sentence what it does".to_owned());
    }
    if pipeline.external {
        return external_problem(pipeline);
    }
    if pipeline.steps.is_empty() {
        return whole("steps", "a pipeline needs at least one step".to_owned());
    }
    if pipeline.steps.len() > Pipeline::MAX_STEPS {
        return whole("steps", format!("at most {} steps", Pipeline::MAX_STEPS));
    }
    if let Err(problem) = in_range(pipeline.max_seconds, Pipeline::MAX_SECONDS) {
        return whole("max_seconds", problem);
    }
    if let Some(problem) = pipeline.input_schema.as_ref().and_then(schema_problem) {
        return whole("input_schema", problem);
    }
    pipeline.steps.iter().enumerate().find_map(|(index, step)| {
        let (field, problem) = step_problem(&pipeline.steps[..index], step).err()?;
        Some(Problem { step: Some(index), field: format!("steps.{}.{field}", step.name), problem })
    })
}

fn whole_problem(field: &str, problem: String) -> Option<Problem> {
    Some(Problem { step: None, field: field.to_owned(), problem })
}

/// What is wrong with a pipeline whose work is done elsewhere.
fn external_problem(pipeline: &Pipeline) -> Option<Problem> {
    if !pipeline.steps.is_empty() {
        return whole_problem("steps", "an external pipeline has none: its workers do the work".to_owned());
    }
    if pipeline.max_seconds.is_some() {
        return whole_problem("max_seconds", "the workers of an external pipeline mind their own time".to_owned());
    }
    if pipeline.needs.0.is_empty() {
        let problem = "name a capability of the workers that do it, or every worker would take it".to_owned();
        return whole_problem("needs", problem);
    }
    let problem = pipeline.input_schema.as_ref().and_then(schema_problem)?;
    whole_problem("input_schema", problem)
}

type Checked = Result<(), (&'static str, String)>;

fn step_problem(earlier: &[Step], step: &Step) -> Checked {
    if earlier.iter().any(|other| other.name == step.name) {
        return Err(("name", format!("there is another step `{}` before it", step.name)));
    }
    if let Some(on_fail) = &step.on_fail {
        on_fail_problem(earlier, step, on_fail)?;
    }
    match &step.action {
        Action::Critic { language: _ } => Ok(()),
        Action::Sandbox { wall_seconds, answers_from, .. } => {
            in_range(*wall_seconds, max_wall_seconds()).map_err(|problem| ("wall_seconds", problem))?;
            answers_from.iter().try_for_each(|name| asks(earlier, name)).map_err(|problem| ("answers_from", problem))
        }
        Action::Ask { .. } => ask_problem(&step.action),
        Action::Approval { prompt, deadline_seconds, .. } => {
            template::check(prompt).map_err(|problem| ("prompt", problem))?;
            in_range(*deadline_seconds, MAX_DEADLINE).map_err(|problem| ("deadline_seconds", problem))
        }
    }
}

fn ask_problem(action: &Action) -> Checked {
    let Action::Ask { prompt, options, options_from, schema, default, default_from, deadline_seconds, .. } = action
    else {
        return Ok(());
    };
    template::check(prompt).map_err(|problem| ("prompt", problem))?;
    if options.len() > MAX_OPTIONS {
        return Err(("options", format!("at most {MAX_OPTIONS} options")));
    }
    if !options.is_empty() && options_from.is_some() {
        return Err(("options_from", "give either `options` or `options_from`".to_owned()));
    }
    if default.is_some() && default_from.is_some() {
        return Err(("default_from", "give either `default` or `default_from`".to_owned()));
    }
    for (field, expression) in [("options_from", options_from), ("default_from", default_from)] {
        if let Some(expression) = expression {
            template::check_expression(expression).map_err(|problem| (field, problem))?;
        }
    }
    if let Some(problem) = schema.as_ref().and_then(schema_problem) {
        return Err(("schema", problem));
    }
    if default.as_ref().is_some_and(|default| !options.is_empty() && !options.contains(default)) {
        return Err(("default", "it is none of the options".to_owned()));
    }
    in_range(*deadline_seconds, MAX_DEADLINE).map_err(|problem| ("deadline_seconds", problem))
}

fn on_fail_problem(earlier: &[Step], step: &Step, on_fail: &OnFail) -> Checked {
    if on_fail.goto != step.name && !earlier.iter().any(|other| other.name == on_fail.goto) {
        let problem = format!("`{}` is neither this step nor one before it", on_fail.goto);
        return Err(("on_fail.goto", problem));
    }
    if !(1..=MAX_ROUNDS).contains(&on_fail.max_rounds) {
        return Err(("on_fail.max_rounds", format!("must lie between 1 and {MAX_ROUNDS}")));
    }
    Ok(())
}

fn asks(earlier: &[Step], name: &Name) -> Result<(), String> {
    match earlier.iter().find(|step| step.name == *name) {
        Some(Step { action: Action::Ask { .. }, .. }) => Ok(()),
        Some(_) => Err(format!("`{name}` does not ask")),
        None => Err(format!("there is no step `{name}` before it")),
    }
}

fn in_range(value: Option<u64>, max: u64) -> Result<(), String> {
    match value {
        Some(value) if !(1..=max).contains(&value) => Err(format!("must lie between 1 and {max}")),
        _ => Ok(()),
    }
}

fn schema_problem(schema: &Value) -> Option<String> {
    jsonschema::validator_for(schema).err().map(|error| format!("is no JSON Schema: {error}"))
}
