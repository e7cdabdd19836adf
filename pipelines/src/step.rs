//! A step as it is written: every field of every kind side by side, so that a wrong type or an unknown field is reported at
//! its own line. (An internally tagged enum would buffer the table and lose the place.)

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shopfloor_domain::{Name, question::OnDeadline, sandbox::Language, step::StepKind};

use crate::{
    definition::{Action, OnFail, Step},
    field,
};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStep {
    /// Its name, unique within the pipeline; later steps see its output as `steps.NAME`.
    name: Name,
    /// What it does.
    kind: StepKind,
    /// Where to go when its work fails; the run fails when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_fail: Option<OnFail>,
    /// The code's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    /// Whether the code may put questions with `shopfloor.ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    may_ask: Option<bool>,
    /// A shorter wall clock than the default of 120 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    wall_seconds: Option<u64>,
    /// Earlier `ask` steps whose answers `shopfloor.ask` returns first, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answers_from: Option<Vec<Name>>,
    /// What to ask: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// Answers to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Vec<Value>>,
    /// An expression that gives the answers to choose from, instead of `options`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options_from: Option<String>,
    /// JSON Schema of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    /// The answer that counts when nobody gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    /// An expression that gives the default, instead of `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_from: Option<String>,
    /// How long to wait for a person, in seconds; 24 hours when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    deadline_seconds: Option<u64>,
    /// What happens then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_deadline: Option<OnDeadline>,
}

impl RawStep {
    fn new(name: Name, kind: StepKind, on_fail: Option<OnFail>) -> Self {
        Self {
            name,
            kind,
            on_fail,
            language: None,
            may_ask: None,
            wall_seconds: None,
            answers_from: None,
            prompt: None,
            options: None,
            options_from: None,
            schema: None,
            default: None,
            default_from: None,
            deadline_seconds: None,
            on_deadline: None,
        }
    }

    /// Whether the fields that are there are those of its kind.
    fn check(&self) -> Result<(), String> {
        let at = format!("step `{}`", self.name);
        let fields = field::of(self.kind).ok_or_else(|| format!("{at}: {}", field::reserved(self.kind)))?;
        let there = match json!(self) {
            Value::Object(there) => there,
            _ => Map::new(),
        };
        for key in there.keys().map(String::as_str).filter(|key| !["name", "kind", "on_fail"].contains(key)) {
            if !fields.required.contains(&key) && !fields.optional.contains(&key) {
                return Err(format!("{at}: `{}` steps have no field `{key}`", self.kind));
            }
        }
        match fields.required.iter().find(|key| !there.contains_key(**key)) {
            Some(missing) => Err(format!("{at}: `{}` steps need the field `{missing}`", self.kind)),
            None => Ok(()),
        }
    }
}

impl TryFrom<RawStep> for Step {
    type Error = String;

    fn try_from(raw: RawStep) -> Result<Self, String> {
        raw.check()?;
        let language = raw.language.unwrap_or_default();
        let action = match raw.kind {
            StepKind::Critic => Action::Critic { language },
            StepKind::Sandbox => Action::Sandbox {
                language,
                may_ask: raw.may_ask.unwrap_or_default(),
                wall_seconds: raw.wall_seconds,
                answers_from: raw.answers_from.unwrap_or_default(),
            },
            StepKind::Ask => Action::Ask {
                prompt: raw.prompt.unwrap_or_default(),
                options: raw.options.unwrap_or_default(),
                options_from: raw.options_from,
                schema: raw.schema,
                default: raw.default,
                default_from: raw.default_from,
                deadline_seconds: raw.deadline_seconds,
                on_deadline: raw.on_deadline.unwrap_or_default(),
            },
            StepKind::Approval => Action::Approval {
                prompt: raw.prompt.unwrap_or_default(),
                deadline_seconds: raw.deadline_seconds,
                on_deadline: raw.on_deadline.unwrap_or(OnDeadline::Reject),
            },
            reserved @ (StepKind::Agent | StepKind::Parallel) => return Err(field::reserved(reserved)),
        };
        Ok(Self { name: raw.name, action, on_fail: raw.on_fail })
    }
}

impl From<Step> for RawStep {
    fn from(step: Step) -> Self {
        let mut raw = Self::new(step.name, step.action.kind(), step.on_fail);
        match step.action {
            Action::Critic { language } => raw.language = Some(language),
            Action::Sandbox { language, may_ask, wall_seconds, answers_from } => {
                raw.language = Some(language);
                raw.may_ask = Some(may_ask);
                raw.wall_seconds = wall_seconds;
                raw.answers_from = (!answers_from.is_empty()).then_some(answers_from);
            }
            Action::Ask {
                prompt,
                options,
                options_from,
                schema,
                default,
                default_from,
                deadline_seconds,
                on_deadline,
            } => {
                raw.prompt = Some(prompt);
                raw.options = (!options.is_empty()).then_some(options);
                raw.options_from = options_from;
                raw.schema = schema;
                raw.default = default;
                raw.default_from = default_from;
                raw.deadline_seconds = deadline_seconds;
                raw.on_deadline = Some(on_deadline);
            }
            Action::Approval { prompt, deadline_seconds, on_deadline } => {
                raw.prompt = Some(prompt);
                raw.deadline_seconds = deadline_seconds;
                raw.on_deadline = Some(on_deadline);
            }
        }
        raw
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let all = RawStep::json_schema(generator);
        let property = |key: &str| all.pointer(&format!("/properties/{key}")).cloned().unwrap_or(Value::Bool(true));
        let variants: Vec<Value> = field::TABLE
            .iter()
            .map(|fields| {
                let mut properties = Map::new();
                properties.insert("kind".to_owned(), json!({ "const": fields.kind }));
                for key in ["name", "on_fail"].iter().chain(fields.required).chain(fields.optional) {
                    properties.insert((*key).to_owned(), property(key));
                }
                let required: Vec<_> = ["name", "kind"].iter().chain(fields.required).collect();
                json!({
                    "description": fields.summary,
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            })
            .collect();
        json_schema!({ "description": "One step.", "oneOf": variants })
    }
}
