//! Projects: the unit of concurrency limits.

use serde::{Deserialize, Serialize};
use shopfloor_domain::{Name, ProjectId, Timestamp};

use crate::{Result, Store};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, unique.
    pub name: Name,
    /// How many of its orders may run at once; `None` for no limit.
    pub max_concurrency: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Every project, by name.
pub async fn list(_store: &Store) -> Result<Vec<Project>> {
    todo!()
}

/// One project by name.
pub async fn get(_store: &Store, _name: &Name) -> Result<Project> {
    todo!()
}

/// Makes a project or changes its limit.
pub async fn put(_store: &Store, _name: &Name, _max_concurrency: Option<u32>, _now: Timestamp) -> Result<Project> {
    todo!()
}
