//! One type per id, so that a task's id can never be passed where an order's is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid))]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id (UUID version 7: ids made later sort later).
            #[must_use]
            #[expect(clippy::new_without_default, reason = "an id is made on purpose, never by default")]
            pub fn new() -> Self { Self(Uuid::now_v7()) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> { Uuid::from_str(text).map(Self) }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self { Self(id) }
        }
    )+};
}

ids! {
    /// A project: the unit of fairness, concurrency limits and access.
    ProjectId,
    /// A task: what somebody asked for.
    TaskId,
    /// A work order: one entry of a task in the queue. A retried task has several.
    OrderId,
    /// One worker process incarnation. A restarted worker is a new worker, whatever its host name.
    WorkerId,
    /// The row of an agent session.
    SessionRowId,
    /// One attempt of an order on one worker.
    ExecutionId,
    /// One run of a pipeline for a task.
    RunId,
    /// One step of a run, in one round.
    StepId,
    /// What a step hands to the next one.
    HandoffId,
    /// A decision asked for by an approval step.
    ApprovalId,
    /// A question put to a person.
    QuestionId,
    /// A chat thread. Every task has one with the task's own id.
    ConversationId,
    /// A chat message.
    MessageId,
    /// An uploaded file.
    FileId,
    /// A file that a step produced.
    ArtifactId,
    /// An entry of the event log.
    EventId,
    /// One call of a model.
    ModelCallId,
    /// An API key.
    ApiKeyId,
}

impl From<TaskId> for ConversationId {
    fn from(task: TaskId) -> Self {
        Self(task.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_text_and_json_and_grow() {
        let (first, second) = (TaskId::new(), TaskId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse::<TaskId>().unwrap(), first);
        let json = serde_json::to_string(&first).unwrap();
        assert_eq!(json, format!("\"{first}\""));
        assert_eq!(serde_json::from_str::<TaskId>(&json).unwrap(), first);
        assert!("not-an-id".parse::<TaskId>().is_err());
    }

    #[test]
    fn a_task_and_its_conversation_share_an_id() {
        let task = TaskId::new();
        assert_eq!(ConversationId::from(task).0, task.0);
    }
}
