//! Workers.

use serde::Deserialize;
use shopfloor_domain::{Capabilities, Name, Timestamp, WorkerId, worker::WorkerStatus};
use shopfloor_store::workers::{NewWorker, Worker};
use utoipa::{IntoParams, ToSchema};

use super::{page, text};
use crate::{error::Result, extract::number, limits};

view! {
    /// A worker.
    WorkerOut from Worker {
        /// Its id: one per process incarnation.
        id: WorkerId,
        /// Its name; not unique.
        name: String,
        /// Where it stands.
        status: WorkerStatus,
        /// What it can do.
        capabilities: Capabilities,
        /// The queues it serves; empty for all.
        queues: Vec<Name>,
        /// How many orders it works on at once.
        slots: u32,
        /// How many it holds now.
        held: u32,
        /// The program's version.
        version: String,
        /// When it was last heard of.
        last_heartbeat_at: Timestamp,
        /// When it registered.
        created_at: Timestamp,
        /// When its row last changed.
        updated_at: Timestamp,
        /// When somebody removed it: it should drain and leave.
        removed_at: Option<Timestamp>,
    }
}

/// A worker to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterIn {
    /// Its id, when it makes its own; the same id registers again.
    #[serde(default)]
    id: Option<WorkerId>,
    /// Its name.
    #[schema(max_length = 255, min_length = 1)]
    name: String,
    /// What it can do.
    #[serde(default)]
    capabilities: Capabilities,
    /// The queues it serves; empty for all.
    #[serde(default)]
    queues: Vec<Name>,
    /// How many orders it works on at once; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1024)]
    slots: Option<u32>,
    /// The program's version.
    #[serde(default)]
    version: Option<String>,
}

impl RegisterIn {
    /// The checked worker.
    pub(crate) fn worker(self) -> Result<NewWorker> {
        capabilities("capabilities", &self.capabilities)?;
        text::at_most("queues", &self.queues, limits::LIST)?;
        let version = text::optional_line("version", self.version.as_deref(), limits::NAME_CHARS)?;
        Ok(NewWorker {
            id: self.id.unwrap_or_else(WorkerId::new),
            name: text::line("name", &self.name, limits::NAME_CHARS)?,
            capabilities: self.capabilities,
            queues: self.queues,
            slots: text::within("slots", self.slots.unwrap_or(1), 1, limits::SLOTS)?,
            version: version.unwrap_or_else(|| "unknown".to_owned()),
        })
    }
}

/// A set of capabilities of a legal size.
pub(crate) fn capabilities(field: &str, set: &Capabilities) -> Result<()> {
    text::at_most(field, &set.0.iter().collect::<Vec<_>>(), Capabilities::MAX)
}

/// A sign of life.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeartbeatIn {
    /// Where the worker stands; `idle` or `busy`, by what it holds, when absent.
    #[serde(default)]
    pub(crate) status: Option<WorkerStatus>,
}

/// Which workers to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerQuery {
    /// Whether to list workers that are gone, too.
    #[serde(default, deserialize_with = "number")]
    pub(crate) include_offline: Option<bool>,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Rows on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
}

impl WorkerQuery {
    pub(crate) fn page(&self) -> Result<shopfloor_store::PageRequest> {
        page::page(self.after.clone(), self.limit)
    }
}
