//! The record: every task, order, step, question and event as a row in PostgreSQL or SQLite.
//!
//! One module per aggregate; each public function is one transaction. Everything a worker writes takes a
//! [`Fence`](shopfloor_domain::Fence) and fails with [`StoreError::Fenced`] when the record has moved on. Time is an
//! argument everywhere. This is the only crate that speaks SQL.

pub mod approvals;
pub mod artifacts;
pub mod audit;
pub mod blobs;
pub mod events;
pub mod executions;
pub mod files;
pub mod keys;
pub mod leader;
pub mod messages;
pub mod model_calls;
pub mod orders;
pub mod page;
pub mod projects;
pub mod prune;
pub mod questions;
pub mod queues;
pub mod runs;
pub mod sessions;
pub mod steps;
pub mod tasks;
pub mod why;
pub mod workers;

mod bell;
mod check;
mod connect;
mod disk;
mod entity;
mod error;
mod notify;
mod pool;
mod rows;
mod tx;

pub use bell::{Bell, Ear};
pub use connect::{Backend, Settings, Store};
pub use disk::Unwritable;
pub use error::StoreError;
pub use page::{Page, PageRequest};

/// The result of every function of this crate.
pub type Result<T> = std::result::Result<T, StoreError>;
