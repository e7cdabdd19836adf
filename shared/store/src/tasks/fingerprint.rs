//! What makes two requests with the same idempotency key the same request.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::NewTask;
use crate::check::canonical;

/// A hash of what the caller asked for. Not part of it: who asks, times (a delay counts from the moment of asking), and
/// the pipeline's definition, which is the server's and may have changed between two tries.
pub(super) fn fingerprint(new: &NewTask) -> String {
    let request = json!({
        "project": new.project,
        "title": new.title,
        "description": new.description,
        "task_type": new.task_type,
        "priority": new.priority,
        "repository_url": new.repository_url,
        "branch_name": new.branch_name,
        "pipeline": new.pipeline,
        "input": new.input,
        "queue": new.queue,
        "needs": new.needs,
        "max_attempts": new.max_attempts,
    });
    hex::encode(Sha256::digest(canonical(&request)))
}
