//! Entries of the event log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{EventId, OrderId, TaskId, Timestamp, event::EventKind};
use shopfloor_store::events::{Cursor, Event};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{number, words};

/// An entry of the event log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EventOut {
    /// Where it stands in the log: the id of the stream's event, and an `after`.
    pub(crate) cursor: String,
    /// Its id.
    id: EventId,
    /// What it is about.
    pub(crate) kind: EventKind,
    /// The task it concerns.
    task_id: Option<TaskId>,
    /// The order it concerns.
    order_id: Option<OrderId>,
    /// The rest; the shape is the kind's.
    payload: Value,
    /// When it happened.
    created_at: Timestamp,
}

impl From<Event> for EventOut {
    fn from(event: Event) -> Self {
        Self {
            cursor: event.cursor.to_string(),
            id: event.id,
            kind: event.kind,
            task_id: event.task_id,
            order_id: event.order_id,
            payload: event.payload,
            created_at: event.created_at,
        }
    }
}

/// Which events to stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    /// Begin after this cursor; `0-0` for everything that is kept. The `Last-Event-ID` header goes first.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// Of this task.
    #[serde(default)]
    pub(crate) task_id: Option<TaskId>,
    /// Of these kinds; may come often or as a list with commas.
    #[serde(default, deserialize_with = "words")]
    pub(crate) kind: Vec<EventKind>,
}

/// Which events of a task to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventQuery {
    /// The `next` of the page before, or an event's cursor.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// Of these kinds; may come often or as a list with commas.
    #[serde(default, deserialize_with = "words")]
    pub(crate) kind: Vec<EventKind>,
    /// Events on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "number")]
    pub(crate) limit: Option<u64>,
}

/// A cursor from a text, or the field that is wrong.
pub(crate) fn cursor(field: &str, text: &str) -> crate::error::Result<Cursor> {
    text.parse().map_err(|problem: shopfloor_store::StoreError| {
        crate::error::ApiError::bad_request("invalid_cursor", format!("`{field}`: {problem}")).field(field)
    })
}
