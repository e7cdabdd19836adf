//! The facts behind "why is it not running?".

use shopfloor_domain::{TaskId, Timestamp, why::Facts};

use crate::{Result, Store};

/// Gathers what [`shopfloor_domain::why::why`] needs, in one consistent read.
pub async fn facts(_store: &Store, _task: TaskId, _now: Timestamp) -> Result<Facts> {
    todo!()
}
