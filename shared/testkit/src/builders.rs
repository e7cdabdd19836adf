//! Ready-made values, so that a test says only what it is about.

use serde_json::json;
use shopfloor_domain::{Capabilities, Name, Priority, Timestamp, WorkerId, task::TaskType};
use shopfloor_store::{tasks::NewTask, workers::NewWorker};

/// When tests begin: 2026-01-01T00:00:00Z.
pub const T0: Timestamp = Timestamp(1_767_225_600_000);

/// A name.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// A set of capabilities, from a list like `gpu,python`.
///
/// # Panics
/// When one of them is no name.
#[must_use]
pub fn capabilities(list: &str) -> Capabilities {
    Capabilities::from_key(list).expect("a list of capabilities")
}

/// A task to submit: project and queue `default`, normal priority, no needs, three attempts.
#[must_use]
pub fn new_task(title: &str) -> NewTask {
    NewTask {
        project: Name::DEFAULT,
        title: title.to_owned(),
        description: String::new(),
        task_type: TaskType::Code,
        priority: Priority::Normal,
        repository_url: None,
        branch_name: None,
        pipeline: name("run-code"),
        pipeline_version: "test".to_owned(),
        definition: json!({ "name": "run-code", "steps": [] }),
        input: json!({ "code": "print(1)" }),
        queue: Name::DEFAULT,
        needs: Capabilities::default(),
        run_at: None,
        max_attempts: 3,
        idempotency_key: None,
        created_by: "test".to_owned(),
    }
}

/// A worker to register: four slots, every queue, no capabilities.
#[must_use]
pub fn worker() -> NewWorker {
    NewWorker {
        id: WorkerId::new(),
        name: "test-worker".to_owned(),
        capabilities: Capabilities::default(),
        queues: Vec::new(),
        slots: 4,
        version: "test".to_owned(),
    }
}
