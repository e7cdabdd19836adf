//! Keys, projects, pipelines and the audit log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{ApiKeyId, Capabilities, Name, ProjectId, RunId, StepId, Timestamp, role::Role};
use shopfloor_pipelines::Entry;
use shopfloor_store::{audit::AuditEvent, keys::ApiKey, projects::Project};
use utoipa::ToSchema;

view! {
    /// An API key, without its secret.
    KeyOut from ApiKey {
        /// Its id.
        id: ApiKeyId,
        /// Its name.
        name: String,
        /// The first characters, to tell keys apart.
        prefix: String,
        /// What its holder may do.
        role: Role,
        /// When it was made.
        created_at: Timestamp,
        /// From when on it is refused.
        expires_at: Option<Timestamp>,
        /// When it was revoked.
        revoked_at: Option<Timestamp>,
    }
}

/// A fresh key. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyOut {
    /// The key.
    #[serde(flatten)]
    pub(crate) key: KeyOut,
    /// The secret, `sf_` and 64 hexadecimal digits.
    pub(crate) secret: String,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyIn {
    /// Its name.
    #[schema(max_length = 255, min_length = 1)]
    pub(crate) name: String,
    /// What its holder may do.
    pub(crate) role: Role,
    /// From when on it is refused; never when absent.
    #[serde(default)]
    pub(crate) expires_at: Option<Timestamp>,
}

view! {
    /// A project.
    ProjectOut from Project {
        /// Its id.
        id: ProjectId,
        /// Its name.
        name: Name,
        /// How many of its orders may run at once; `null` for no limit.
        max_concurrency: Option<u32>,
        /// How many of its orders may start per minute, evenly spread; `null` for no limit.
        max_starts_per_minute: Option<u32>,
        /// When it was made.
        created_at: Timestamp,
    }
}

/// A project to make or change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectIn {
    /// Its name.
    pub(crate) name: Name,
    /// How many of its orders may run at once, 1 to 100000; no limit when `null` or absent.
    #[serde(default)]
    pub(crate) max_concurrency: Option<u32>,
    /// How many of its orders may start per minute, 1 to 60000, evenly spread with bursts of a second's worth; no limit
    /// when `null` or absent.
    #[serde(default)]
    pub(crate) max_starts_per_minute: Option<u32>,
}

view! {
    /// An entry of the audit log.
    AuditOut from AuditEvent {
        /// Its number, from 1 without gaps.
        seq: i64,
        /// The run it concerns.
        run_id: Option<RunId>,
        /// The step it concerns.
        step_id: Option<StepId>,
        /// What was done.
        event_type: String,
        /// Who did it.
        actor: String,
        /// The rest.
        payload: Value,
        /// When.
        created_at: Timestamp,
        /// The hash of the entry before.
        prev_hash: String,
        /// The hash over `prev_hash` and this entry.
        hash: String,
    }
}

/// A pipeline that tasks may name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PipelineOut {
    /// Its name.
    name: Name,
    /// One sentence.
    description: String,
    /// What a worker needs to run it.
    needs: Capabilities,
    /// A hash of its definition.
    version: String,
    /// Its file's text.
    source: String,
    /// JSON Schema of a task's `input`; `null` when anything goes.
    input_schema: Option<Value>,
    /// Whether remote workers do the whole work.
    external: bool,
    /// The names of its steps; none when `external`.
    steps: Vec<Name>,
}

impl From<&Entry> for PipelineOut {
    fn from(entry: &Entry) -> Self {
        let pipeline = &entry.pipeline;
        Self {
            name: pipeline.name.clone(),
            description: pipeline.description.clone(),
            needs: pipeline.needs.clone(),
            version: entry.version.clone(),
            source: entry.source.clone(),
            input_schema: pipeline.input_schema.clone(),
            external: pipeline.external,
            steps: pipeline.steps.iter().map(|step| step.name.clone()).collect(),
        }
    }
}
