//! Breaking things on purpose: connections, processes, databases.

mod postgres;
mod process;
mod proxy;
mod wire;

pub use postgres::PostgresServer;
pub use process::{Process, Program};
pub use proxy::Proxy;
