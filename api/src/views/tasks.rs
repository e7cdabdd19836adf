//! Tasks.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shopfloor_domain::{
    Capabilities, Epoch, Name, OrderId, Priority, ProjectId, TaskId, Timestamp, WorkerId,
    order::OrderStatus,
    task::{TaskStatus, TaskType},
    why::Reason,
};
use shopfloor_store::{
    orders::Order,
    tasks::{Task, TaskFilter, TaskPatch},
};
use utoipa::{IntoParams, ToSchema};

use super::{
    files::ArtifactOut,
    page,
    steps::ExecutionOut,
    text::{self, present},
};
use crate::{
    error::{ApiError, Result},
    extract::{number, words},
    limits,
};

/// A task to submit.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmitIn {
    /// One line of at most 200 characters.
    #[schema(max_length = 200, min_length = 1)]
    pub(crate) title: String,
    /// Markdown, at most 64 KiB.
    #[serde(default)]
    pub(crate) description: String,
    /// What kind of work it is; `code` when absent.
    #[serde(default)]
    pub(crate) task_type: TaskType,
    /// `normal` when absent.
    #[serde(default)]
    pub(crate) priority: Priority,
    /// `default` when absent.
    #[serde(default)]
    pub(crate) project: Option<Name>,
    /// The pipeline that does the work; `run-code` when absent.
    #[serde(default)]
    pub(crate) pipeline: Option<Name>,
    /// What the pipeline is given: an object that fits its `input_schema`, at most 256 KiB as JSON.
    #[serde(default)]
    pub(crate) input: Option<Value>,
    /// `default` when absent.
    #[serde(default)]
    pub(crate) queue: Option<Name>,
    /// What a worker must be able to do, beside what the pipeline needs.
    #[serde(default)]
    pub(crate) needs: Capabilities,
    /// The repository to work on.
    #[serde(default)]
    pub(crate) repository_url: Option<String>,
    /// The branch to work on.
    #[serde(default)]
    pub(crate) branch_name: Option<String>,
    /// Not before this time.
    #[serde(default)]
    pub(crate) run_at: Option<Timestamp>,
    /// Not before this many seconds from now; instead of `run_at`.
    #[serde(default)]
    pub(crate) delay_seconds: Option<u64>,
    /// Attempts in all, 1 to 20.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 20)]
    pub(crate) max_attempts: Option<u32>,
}

/// Tasks to submit, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkIn {
    /// 1 to 1000 tasks.
    pub(crate) tasks: Vec<SubmitIn>,
}

/// The tasks of a bulk submission, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkOut {
    /// The tasks.
    pub(crate) items: Vec<TaskOut>,
}

/// Changes to a task. Absent fields stay; `null` clears where there is something to clear.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatchIn {
    /// A new title.
    #[serde(default, deserialize_with = "present")]
    title: Option<String>,
    /// A new description.
    #[serde(default, deserialize_with = "present")]
    description: Option<String>,
    /// A new type.
    #[serde(default, deserialize_with = "present")]
    task_type: Option<TaskType>,
    /// A new priority; a waiting order moves in its queue.
    #[serde(default, deserialize_with = "present")]
    priority: Option<Priority>,
    /// Another repository, or `null`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    repository_url: Option<Option<String>>,
    /// Another branch, or `null`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    branch_name: Option<Option<String>>,
}

impl PatchIn {
    /// The checked changes.
    pub(crate) fn patch(self) -> Result<TaskPatch> {
        let url = |url: Option<String>| text::optional_line("repository_url", url.as_deref(), limits::URL_CHARS);
        let branch = |name: Option<String>| text::optional_line("branch_name", name.as_deref(), limits::NAME_CHARS);
        let patch = TaskPatch {
            title: text::optional_line("title", self.title.as_deref(), limits::TITLE_CHARS)?,
            description: self
                .description
                .map(|it| text::block("description", it, limits::DESCRIPTION_BYTES))
                .transpose()?,
            task_type: self.task_type,
            priority: self.priority,
            repository_url: self.repository_url.map(url).transpose()?,
            branch_name: self.branch_name.map(branch).transpose()?,
        };
        if patch == TaskPatch::default() {
            return Err(ApiError::invalid("body", "names no field to change"));
        }
        Ok(patch)
    }
}

/// Which tasks to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskQuery {
    /// Any of these statuses; may come often or as a list with commas.
    #[serde(default, deserialize_with = "words")]
    status: Vec<TaskStatus>,
    /// Of this type.
    #[serde(default)]
    task_type: Option<TaskType>,
    /// The same under its short name.
    #[serde(default, rename = "type")]
    kind: Option<TaskType>,
    /// Of this priority.
    #[serde(default)]
    priority: Option<Priority>,
    /// Of this project.
    #[serde(default)]
    project: Option<Name>,
    /// With this in the title, in any case.
    #[serde(default)]
    text: Option<String>,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Rows on the page, 1 to 500; 50 when absent.
    #[serde(default, deserialize_with = "number")]
    limit: Option<u64>,
}

impl TaskQuery {
    pub(crate) fn page(&self) -> Result<shopfloor_store::PageRequest> {
        page::page(self.after.clone(), self.limit)
    }

    pub(crate) fn filter(self) -> TaskFilter {
        TaskFilter {
            status: self.status,
            task_type: self.task_type.or(self.kind),
            priority: self.priority,
            project: self.project,
            text: self.text.filter(|text| !text.is_empty()),
        }
    }
}

/// How far a task's newest order is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OrderBrief {
    /// Its id.
    id: OrderId,
    /// Where it stands.
    status: OrderStatus,
    /// Its queue.
    queue: Name,
    /// Attempts that count.
    attempt: u32,
    /// Attempts in all.
    max_attempts: u32,
    /// Not before this time.
    run_at: Timestamp,
    /// The worker that holds it, or held it last.
    worker_id: Option<WorkerId>,
    /// How often it was claimed.
    epoch: Epoch,
    /// When it was parked for a person.
    parked_at: Option<Timestamp>,
    /// When its lease runs out.
    lease_expires_at: Option<Timestamp>,
    /// When its cancellation was asked for.
    cancel_requested_at: Option<Timestamp>,
    /// Why the last attempt failed.
    error: Option<String>,
}

impl From<Order> for OrderBrief {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            status: order.status,
            queue: order.queue,
            attempt: order.attempt,
            max_attempts: order.max_attempts,
            run_at: order.run_at,
            worker_id: order.worker_id,
            epoch: order.epoch,
            parked_at: order.parked_at,
            lease_expires_at: order.lease_expires_at,
            cancel_requested_at: order.cancel_requested_at,
            error: order.error,
        }
    }
}

/// A task.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TaskOut {
    /// Its id; also its conversation's.
    pub(crate) id: TaskId,
    /// Its project's id.
    project_id: ProjectId,
    /// Its project.
    project: Name,
    /// One line.
    title: String,
    /// Markdown.
    description: String,
    /// What kind of work it is.
    task_type: TaskType,
    /// Where it stands.
    pub(crate) status: TaskStatus,
    /// How urgent it is.
    priority: Priority,
    /// The repository to work on.
    repository_url: Option<String>,
    /// The branch to work on.
    branch_name: Option<String>,
    /// The pipeline that does the work.
    pipeline: Name,
    /// What the pipeline was given.
    input: Value,
    /// What it came to; the shape is the pipeline's.
    result: Option<Value>,
    /// Why it failed.
    error: Option<String>,
    /// Who submitted it.
    created_by: String,
    /// When it was submitted.
    created_at: Timestamp,
    /// When it last changed.
    updated_at: Timestamp,
    /// When it reached its present final status.
    completed_at: Option<Timestamp>,
    /// Its newest order.
    order: OrderBrief,
}

impl TaskOut {
    /// Its newest order.
    pub(crate) const fn order_id(&self) -> OrderId {
        self.order.id
    }

    pub(crate) fn new(task: Task, order: Order) -> Self {
        Self {
            id: task.id,
            project_id: task.project_id,
            project: task.project,
            title: task.title,
            description: task.description,
            task_type: task.task_type,
            status: task.status,
            priority: task.priority,
            repository_url: task.repository_url,
            branch_name: task.branch_name,
            pipeline: task.pipeline,
            input: task.input,
            result: task.result,
            error: task.error,
            created_by: task.created_by,
            created_at: task.created_at,
            updated_at: task.updated_at,
            completed_at: task.completed_at,
            order: order.into(),
        }
    }
}

/// The one condition that keeps a task from running.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhyOut {
    /// The condition as a code with its particulars.
    #[serde(flatten)]
    pub(crate) reason: Reason,
    /// The same for people.
    pub(crate) sentence: String,
}

/// What a task came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResultsOut {
    /// The task.
    pub(crate) task_id: TaskId,
    /// Where it stands.
    pub(crate) status: TaskStatus,
    /// The result; the shape is the pipeline's.
    pub(crate) result: Option<Value>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// What its steps left.
    pub(crate) artifacts: Vec<ArtifactOut>,
    /// Its attempts.
    pub(crate) executions: Vec<ExecutionOut>,
}
