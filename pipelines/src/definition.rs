//! The shape of a pipeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shopfloor_domain::{Capabilities, Name, question::OnDeadline, sandbox::Language};

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
    #[serde(default)]
    pub input_schema: Option<serde_json::Value>,
    /// The steps, first to last.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name, unique within the pipeline; later steps see its output as `steps.NAME`.
    pub name: Name,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
    /// Where to go when its work fails; the run fails when absent.
    #[serde(default)]
    pub on_fail: Option<OnFail>,
}

/// What a step does. Texts are minijinja templates over `input`, `task` and `steps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Checks the task's code with ruff and bandit; HIGH findings, syntax errors and undefined names block.
    Critic {
        /// The code's language.
        #[serde(default)]
        language: Language,
    },
    /// Runs the task's code.
    Sandbox {
        /// The code's language.
        #[serde(default)]
        language: Language,
        /// Whether the code may put questions with `shopfloor.ask`.
        #[serde(default)]
        may_ask: bool,
        /// A shorter wall clock than the default, in seconds.
        #[serde(default)]
        wall_seconds: Option<u64>,
    },
    /// Puts a question to a person; the answer is the step's output.
    Ask {
        /// The question.
        prompt: String,
        /// Answers to choose from, a template giving a JSON array or a fixed list.
        #[serde(default)]
        options: Vec<serde_json::Value>,
        /// JSON Schema of the answer.
        #[serde(default)]
        schema: Option<serde_json::Value>,
        /// The answer that counts when nobody gives one.
        #[serde(default)]
        default: Option<serde_json::Value>,
        /// How long to wait, in seconds; 24 hours when absent.
        #[serde(default)]
        deadline_seconds: Option<u64>,
        /// What happens then.
        #[serde(default)]
        on_deadline: OnDeadline,
    },
    /// Asks a person to approve; a rejection fails the step.
    Approval {
        /// What is to be approved.
        prompt: String,
        /// How long to wait, in seconds; 24 hours when absent.
        #[serde(default)]
        deadline_seconds: Option<u64>,
        /// What happens then.
        #[serde(default = "reject")]
        on_deadline: OnDeadline,
    },
}

const fn reject() -> OnDeadline {
    OnDeadline::Reject
}

/// What to do when a step's work fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnFail {
    /// The step to go on with.
    pub goto: Name,
    /// How often at most.
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
