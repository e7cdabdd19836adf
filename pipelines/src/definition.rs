//! The shape of a pipeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shopfloor_domain::{
    Capabilities, Name,
    question::OnDeadline,
    sandbox::{Language, Limits},
    step::StepKind,
};

use crate::step::RawStep;

/// A pipeline: named steps in order. Unknown fields are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Its name, the file's stem.
    pub name: Name,
    /// One sentence for people.
    pub description: String,
    /// What a worker needs to run it, e.g. `["python"]`.
    #[serde(default)]
    #[schemars(with = "Vec<Name>")]
    pub needs: Capabilities,
    /// JSON Schema of the task's `input`; anything goes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<serde_json::Value>,
    /// How long a worker may work on it without a break, in seconds; waiting for a person does not count once parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2700))]
    pub max_seconds: Option<u64>,
    /// Whether remote workers do the whole work, each in its own way: such a pipeline has no steps, and `needs` says which
    /// workers take it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// The steps, first to last; none when `external`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub steps: Vec<Step>,
}

impl Pipeline {
    /// The most steps a pipeline has.
    pub const MAX_STEPS: usize = 64;
    /// The most seconds a worker works on a run without a break; sessions end a little later.
    pub const MAX_SECONDS: u64 = 45 * 60;

    /// The definition as JSON with sorted keys: what a run pins, and what its version is the hash of.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::json!(self);
        crate::catalog::sort_keys(&mut json);
        json
    }

    /// Reads a pinned definition and checks it as strictly as a file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, String> {
        let pipeline = Self::deserialize(json).map_err(|error| error.to_string())?;
        match crate::validate::problem(&pipeline) {
            None => Ok(pipeline),
            Some(problem) => Err(problem.to_string()),
        }
    }

    /// Checks a task's input against [`Self::input_schema`]. The error names the place and what is wrong there.
    ///
    /// # Errors
    /// One `(JSON pointer, problem)` for the first thing that does not fit.
    pub fn check_input(&self, input: &serde_json::Value) -> Result<(), (String, String)> {
        let Some(schema) = &self.input_schema else { return Ok(()) };
        let validator = jsonschema::validator_for(schema)
            .map_err(|error| (String::new(), format!("the pipeline's input schema is wrong: {error}")))?;
        validator.validate(input).map_err(|error| (error.instance_path().to_string(), error.to_string()))
    }
}

/// One step. Written flat: `name`, `kind`, `on_fail` and the fields of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawStep", into = "RawStep")]
pub struct Step {
    /// Its name, unique within the pipeline; later steps see its output as `steps.NAME`.
    pub name: Name,
    /// What it does.
    pub action: Action,
    /// Where to go when its work fails; the run fails when absent.
    pub on_fail: Option<OnFail>,
}

/// What a step does. Texts are minijinja templates, `*_from` are minijinja expressions, over `input`, `task` and `steps`.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Checks the task's code with ruff and bandit; HIGH findings, syntax errors and undefined names block.
    Critic {
        /// The code's language.
        language: Language,
    },
    /// Runs the task's code.
    Sandbox {
        /// The code's language.
        language: Language,
        /// Whether the code may put questions with `shopfloor.ask`.
        may_ask: bool,
        /// A shorter wall clock than the default, in seconds.
        wall_seconds: Option<u64>,
        /// Earlier `ask` steps whose answers `shopfloor.ask` returns first, in this order.
        answers_from: Vec<Name>,
    },
    /// Puts a question to a person; the answer is the step's output.
    Ask {
        /// The question.
        prompt: String,
        /// Answers to choose from; any answer goes when there are none.
        options: Vec<serde_json::Value>,
        /// An expression that gives the answers to choose from, instead of `options`.
        options_from: Option<String>,
        /// JSON Schema of the answer.
        schema: Option<serde_json::Value>,
        /// The answer that counts when nobody gives one.
        default: Option<serde_json::Value>,
        /// An expression that gives the default, instead of `default`.
        default_from: Option<String>,
        /// How long to wait, in seconds; 24 hours when absent.
        deadline_seconds: Option<u64>,
        /// What happens then.
        on_deadline: OnDeadline,
    },
    /// Asks a person to approve; a rejection fails the step.
    Approval {
        /// What is to be approved.
        prompt: String,
        /// How long to wait, in seconds; 24 hours when absent.
        deadline_seconds: Option<u64>,
        /// What happens then; `reject` when absent.
        on_deadline: OnDeadline,
    },
}

impl Action {
    /// The kind, as recorded with the step.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Critic { .. } => StepKind::Critic,
            Self::Sandbox { .. } => StepKind::Sandbox,
            Self::Ask { .. } => StepKind::Ask,
            Self::Approval { .. } => StepKind::Approval,
        }
    }
}

/// What to do when a step's work fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnFail {
    /// The step to go on with: this one or an earlier one.
    pub goto: Name,
    /// How often at most.
    #[schemars(range(min = 1, max = 10))]
    pub max_rounds: u32,
    /// What then.
    #[serde(default)]
    pub then: Then,
}

/// What to do when the rounds are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The run fails.
    #[default]
    Fail,
    /// A person decides whether to go on regardless.
    Ask,
}

/// The longest wall clock a step may ask for, in seconds: the default, since a pipeline only narrows it.
#[must_use]
pub fn max_wall_seconds() -> u64 {
    Limits::default().wall.as_secs()
}
