//! Rows as they stand in the tables. Nothing outside this crate sees them; each aggregate's module turns its rows into
//! records of domain types.

pub(crate) mod api_key;
pub(crate) mod approval;
pub(crate) mod artifact;
pub(crate) mod audit_event;
pub(crate) mod conversation;
pub(crate) mod event;
pub(crate) mod execution;
pub(crate) mod file;
pub(crate) mod handoff;
pub(crate) mod idempotency_key;
pub(crate) mod leader_lease;
pub(crate) mod message;
pub(crate) mod model_call;
pub(crate) mod pipeline;
pub(crate) mod project;
pub(crate) mod question;
pub(crate) mod queue;
pub(crate) mod session;
pub(crate) mod step;
pub(crate) mod task;
pub(crate) mod work_order;
pub(crate) mod worker;
