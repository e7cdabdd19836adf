//! One leader at a time, by a lease in the database.

use std::time::Duration;

use shopfloor_domain::Timestamp;

use crate::{Result, Store};

/// Takes or renews the leadership called `name` for `holder`. Returns whether `holder` leads until `now + ttl`.
pub async fn lead(_store: &Store, _name: &str, _holder: &str, _ttl: Duration, _now: Timestamp) -> Result<bool> {
    todo!()
}

/// Gives the leadership up, so that another can take it at once.
pub async fn resign(_store: &Store, _name: &str, _holder: &str) -> Result<()> {
    todo!()
}
