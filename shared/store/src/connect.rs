//! The connection to the record.

use std::sync::Arc;

use crate::{Bell, Result, blobs::Blobs};

/// Which database holds the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL 15 or newer.
    Postgres,
    /// SQLite 3 in WAL mode.
    Sqlite,
}

/// How to reach the record.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `postgres://…`, `sqlite://PATH` or `sqlite::memory:`.
    pub database_url: String,
    /// The folder of files and artifacts.
    pub blob_dir: std::path::PathBuf,
    /// Connections at most (PostgreSQL; SQLite has one writer and a few readers).
    pub max_connections: u32,
}

/// A handle to the record. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Store(Arc<()>);

impl Store {
    /// Connects, runs pending migrations under a lock, and starts to listen for other processes' changes.
    ///
    /// # Errors
    /// [`crate::StoreError::Database`] when the database cannot be reached or migrated.
    pub async fn open(_settings: &Settings) -> Result<Self> {
        todo!()
    }

    /// Connects without migrating; for `migrate`, `doctor` and tests.
    pub async fn connect(_settings: &Settings) -> Result<Self> {
        todo!()
    }

    /// Runs pending migrations under a lock. Running it twice changes nothing. Returns how many ran.
    pub async fn migrate(&self) -> Result<u32> {
        todo!()
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        todo!()
    }

    /// Files and artifacts.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        todo!()
    }

    /// Rung when an order may have become claimable (also by another process, on PostgreSQL).
    #[must_use]
    pub fn orders_bell(&self) -> &Bell {
        todo!()
    }

    /// Rung when the event log has grown (also by another process, on PostgreSQL).
    #[must_use]
    pub fn events_bell(&self) -> &Bell {
        todo!()
    }

    /// The database's clock, for setting a process's own clock by it ([`crate::connect`] callers on PostgreSQL), in ms.
    pub async fn database_now(&self) -> Result<shopfloor_domain::Timestamp> {
        todo!()
    }

    /// Whether the record answers. For `/readyz`.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }

    /// Closes the connections after what is under way.
    pub async fn close(self) -> Result<()> {
        todo!()
    }
}
