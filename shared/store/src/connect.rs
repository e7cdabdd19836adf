//! The connection to the record.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions,
    sqlx::{PgPool, SqlitePool},
};
use shopfloor_domain::{Name, ProjectId, Timestamp};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Bell, Result, StoreError,
    blobs::Blobs,
    disk::{Disks, Unwritable},
    error::Doing as _,
    notify::{self, Bells},
    orders::Together,
    pool,
    tx::begin_whole,
};

/// How long [`Store::ping`] waits for an answer.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of the advisory lock under which migrations run: the letters of `shopflr`.
const MIGRATION_LOCK: i64 = 0x0073_686f_7066_6c72;

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
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    blobs: Blobs,
    disks: Disks,
    bells: Bells,
    together: Together,
    project_ids: Mutex<HashMap<Name, ProjectId>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl Store {
    /// Connects, runs pending migrations under a lock, and starts to listen for other processes' changes.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the database cannot be reached or migrated, [`StoreError::Invalid`] when its URL is
    /// none of ours.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let store = Self::connect(settings).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Connects without migrating; for `migrate`, `doctor` and tests.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn connect(settings: &Settings) -> Result<Self> {
        let blobs = Blobs::open(&settings.blob_dir)?;
        let url = settings.database_url.as_str();
        let disks = Disks { record: pool::sqlite_folder(url), files: settings.blob_dir.clone() };
        if url.starts_with("sqlite:") {
            let (writer, reader) = pool::sqlite(url).await?;
            Ok(Self::on_sqlite(writer, reader, blobs, disks))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = pool::postgres(url, settings.max_connections).await?;
            let line = pool::postgres_line(&pool);
            Ok(Self::on_postgres(pool, line, blobs, disks))
        } else {
            let problem = "expected `postgres://…`, `sqlite://PATH` or `sqlite::memory:`".to_owned();
            Err(StoreError::Invalid { field: "database_url", problem })
        }
    }

    fn on_sqlite(writer: SqlitePool, reader: SqlitePool, blobs: Blobs, disks: Disks) -> Self {
        let writer = SqlxSqliteConnector::from_sqlx_sqlite_pool(writer);
        let reader = SqlxSqliteConnector::from_sqlx_sqlite_pool(reader);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self::assemble(Backend::Sqlite, writer, reader, (blobs, disks), Bells::default(), tasks, stop)
    }

    fn on_postgres(pool: PgPool, line: PgPool, blobs: Blobs, disks: Disks) -> Self {
        let (bells, tasks, stop) = (Bells::default(), TaskTracker::new(), CancellationToken::new());
        notify::start(line, bells.clone(), &tasks, &stop);
        let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        Self::assemble(Backend::Postgres, connection.clone(), connection, (blobs, disks), bells, tasks, stop)
    }

    fn assemble(
        backend: Backend,
        writer: DatabaseConnection,
        reader: DatabaseConnection,
        (blobs, disks): (Blobs, Disks),
        bells: Bells,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let _stop_when_dropped = stop.clone().drop_guard();
        let project_ids = Mutex::default();
        let together = Together::default();
        Self(Arc::new(Inner {
            backend,
            writer,
            reader,
            blobs,
            disks,
            bells,
            together,
            project_ids,
            tasks,
            stop,
            _stop_when_dropped,
        }))
    }

    /// Runs pending migrations under a lock. Running it twice changes nothing. Returns how many ran.
    ///
    /// # Errors
    /// [`StoreError::Database`] when one fails, or when a newer version has migrated this database; nothing is changed then.
    pub async fn migrate(&self) -> Result<u32> {
        crate::tx::retrying(|| self.migrate_once()).await
    }

    async fn migrate_once(&self) -> Result<u32> {
        const DOING: &str = "migrating the record";
        let tx = self.begin(DOING).await?;
        if self.backend() == Backend::Postgres {
            // Released with the transaction; others wait here instead of racing.
            let limits = "SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '10min'";
            tx.db().execute_unprepared(limits).await.doing(DOING)?;
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            tx.db().execute_unprepared(&lock).await.doing(DOING)?;
        }
        let pending = shopfloor_migrations::pending(tx.db()).await.doing(DOING)?;
        if pending > 0 {
            shopfloor_migrations::up(tx.db()).await.doing(DOING)?;
        }
        tx.commit().await?;
        Ok(pending)
    }

    /// How many migrations are still to run. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the database cannot be read, or when a newer version has migrated it.
    pub async fn pending(&self) -> Result<u32> {
        const DOING: &str = "looking for pending migrations";
        let tx = self.begin(DOING).await?;
        shopfloor_migrations::pending(tx.db()).await.doing(DOING)
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.0.backend
    }

    /// Files and artifacts.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// Rung when an order may have become claimable (also by another process, on PostgreSQL).
    #[must_use]
    pub fn orders_bell(&self) -> &Bell {
        &self.0.bells.orders
    }

    /// Rung when the event log has grown (also by another process, on PostgreSQL).
    #[must_use]
    pub fn events_bell(&self) -> &Bell {
        &self.0.bells.events
    }

    /// Rung after each commit of this very process that may have made an order claimable: for passing it on to others.
    #[must_use]
    pub fn said_orders(&self) -> &Bell {
        &self.0.bells.said_orders
    }

    /// Rung after each commit of this very process that made the event log grow: for passing it on to others.
    #[must_use]
    pub fn said_events(&self) -> &Bell {
        &self.0.bells.said_events
    }

    /// Notes whether something faster than the database carries what is said to other processes. The database carries it
    /// then as well, only less often.
    pub fn relayed(&self, relayed: bool) {
        self.0.bells.relayed(relayed);
    }

    /// The connection for reads outside a transaction. On SQLite it cannot write.
    pub(crate) fn read(&self) -> &DatabaseConnection {
        &self.0.reader
    }

    /// The connection for [`Store::begin`].
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.0.writer
    }

    /// The completions that wait to be recorded.
    pub(crate) fn together(&self) -> &Together {
        &self.0.together
    }

    /// The ids of projects that were looked up: as many as there are projects.
    pub(crate) fn project_ids(&self) -> MutexGuard<'_, HashMap<Name, ProjectId>> {
        // Every change is one step: a panic elsewhere leaves nothing half-done here.
        self.0.project_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings the orders' bell here and in other processes. Only after a commit.
    pub(crate) fn announce_orders(&self) {
        self.0.bells.announce_orders();
    }

    /// Rings the events' bell here and in other processes. Only after a commit.
    pub(crate) fn announce_events(&self) {
        self.0.bells.announce_events();
    }

    /// The database's clock, for setting a process's own clock by it ([`crate::connect`] callers on PostgreSQL), in ms.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn database_now(&self) -> Result<Timestamp> {
        const DOING: &str = "reading the database's clock";
        let sql = match self.backend() {
            Backend::Postgres => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now",
            Backend::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
        };
        let statement = Statement::from_string(self.read().get_database_backend(), sql);
        let row = self.read().query_one_raw(statement).await.doing(DOING)?;
        let now = row.map(|row| row.try_get::<i64>("", "now")).transpose().doing(DOING)?;
        now.map(Timestamp).ok_or_else(|| StoreError::corrupt("clock", "no row"))
    }

    /// Whether the record answers. For `/readyz`.
    ///
    /// # Errors
    /// [`StoreError::Database`] when it does not, or not within two seconds.
    pub async fn ping(&self) -> Result<()> {
        const DOING: &str = "asking whether the record answers";
        let late = || StoreError::Database {
            doing: DOING,
            source: sea_orm::DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout),
        };
        let asked = async {
            let tx = begin_whole(self.read(), TransactionOptions::default()).await?;
            tx.execute_unprepared("SELECT 1").await?;
            tx.rollback().await
        };
        tokio::time::timeout(PING_TIMEOUT, asked).await.map_err(|_| late())?.doing(DOING)
    }

    /// What of this process cannot be written just now: its disk is full, say. Writes a little and takes it away again.
    pub async fn unwritable(&self) -> Unwritable {
        self.0.disks.try_out().await
    }

    /// Closes the connections after what is under way.
    ///
    /// # Errors
    /// [`StoreError::Database`] when a connection could not be closed cleanly.
    pub async fn close(self) -> Result<()> {
        const DOING: &str = "closing the record";
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.reader.close_by_ref().await.doing(DOING)?;
        self.0.writer.close_by_ref().await.doing(DOING)
    }
}
