//! What tests share: a private PostgreSQL and Redis, a record per test on both databases, builders and contract suites.
//!
//! This crate is test code: it panics where a test would, and only tests depend on it.

mod builders;
mod database;
pub mod faults;
mod fixture;
mod lock;
pub mod queue_contract;
mod redis;
mod scratch;
mod server;

pub use builders::{T0, capabilities, name, new_task, worker};
pub use database::{Database, OpenTransaction};
pub use fixture::{TestStore, run, soon, store, stores};
pub use redis::RedisServer;
pub use scratch::Scratch;
pub use shopfloor_store::Backend;
