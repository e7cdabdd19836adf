//! Files and artifacts.

use serde::Deserialize;
use shopfloor_domain::{ArtifactId, Epoch, FileId, Name, OrderId, ProjectId, StepId, TaskId, Timestamp};
use shopfloor_store::{artifacts::Artifact, files::File};

view! {
    /// An uploaded file.
    FileOut from File {
        /// Its id.
        id: FileId,
        /// Its project.
        project_id: ProjectId,
        /// Its name, cleaned.
        name: String,
        /// Its media type, by content.
        content_type: String,
        /// Bytes.
        size: u64,
        /// Lower-case hexadecimal SHA-256.
        sha256: String,
        /// Who uploaded it.
        created_by: String,
        /// When.
        created_at: Timestamp,
    }
}

view! {
    /// A file that a step left.
    ArtifactOut from Artifact {
        /// Its id.
        id: ArtifactId,
        /// The task.
        task_id: TaskId,
        /// The order.
        order_id: OrderId,
        /// The step.
        step_id: StepId,
        /// The epoch that wrote it.
        epoch: Epoch,
        /// Its relative path.
        name: String,
        /// Its media type, by content.
        content_type: String,
        /// Bytes.
        size: u64,
        /// Lower-case hexadecimal SHA-256.
        sha256: String,
        /// When it was stored.
        created_at: Timestamp,
    }
}

/// Where to put an upload.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadQuery {
    /// The project; `default` when absent.
    #[serde(default)]
    pub(crate) project: Option<Name>,
}

/// The form of an upload.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "only for the description; the form is read as it streams in")]
pub(crate) struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}
