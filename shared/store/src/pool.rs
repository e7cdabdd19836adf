//! Pools of connections with their limits: no statement, lock or wait for a connection is without an upper bound.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use sea_orm::sqlx::{
    self, ConnectOptions as _, Connection as _, PgPool, SqliteConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Result, StoreError, error::Doing as _};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The one writer of SQLite is a queue of its own, so waiting for it may take longer.
const WRITER_TIMEOUT: Duration = Duration::from_secs(15);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// A connection idle for longer than this is tested before it is used.
const TEST_WHEN_IDLE_FOR: Duration = Duration::from_secs(5);
/// Notices say that a table is there already and the like, at every start; nobody needs to read that.
const POSTGRES_OPTIONS: [(&str, &str); 4] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("client_min_messages", "warning"),
];

/// The pool for everything but notifications.
pub(crate) async fn postgres(url: &str, max_connections: u32) -> Result<PgPool> {
    const DOING: &str = "connecting to PostgreSQL";
    let options = PgConnectOptions::from_str(url)
        .doing("reading the database URL")?
        .application_name("shopfloor")
        .options(POSTGRES_OPTIONS)
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TEST_WHEN_IDLE_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    pool.connect_with(options).await.doing(DOING)
}

/// Two connections for notifications, one to listen and one to send, apart from the pool of everything else: a busy pool
/// must not delay a wake-up call. Connects when first used.
pub(crate) fn postgres_line(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("shopfloor-bells");
    let line = PgPoolOptions::new().max_connections(2).acquire_timeout(ACQUIRE_TIMEOUT);
    line.max_lifetime(None).idle_timeout(None).connect_lazy_with(options)
}

/// The writer and the readers. In memory they are the same single connection.
pub(crate) async fn sqlite(url: &str) -> Result<(SqlitePool, SqlitePool)> {
    const DOING: &str = "opening the SQLite database";
    let options = SqliteConnectOptions::from_str(url)
        .doing("reading the database URL")?
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    // In memory the connection is the database, so it is kept whatever happens.
    if url.contains(":memory:") || url.contains("mode=memory") {
        let only = pool.max_connections(1).acquire_timeout(WRITER_TIMEOUT);
        let only = only.connect_with(options.shared_cache(false)).await.doing(DOING)?;
        return Ok((only.clone(), only));
    }
    create_parent(options.get_filename())?;
    let pool = pool.after_release(|connection, _| Box::pin(is_out_of_transactions(connection)));
    // FULL: a commit that was confirmed survives a power cut.
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "67108864");
    let writer = pool.clone().max_connections(1).acquire_timeout(WRITER_TIMEOUT);
    let writer = connect_patiently(writer, options.clone()).await.doing(DOING)?;
    let reader = pool.max_connections(READERS).acquire_timeout(ACQUIRE_TIMEOUT);
    let reader = connect_patiently(reader, options.pragma("query_only", "ON")).await.doing(DOING)?;
    Ok((writer, reader))
}

/// The folder of a SQLite database; `None` for PostgreSQL and in memory.
pub(crate) fn sqlite_folder(url: &str) -> Option<PathBuf> {
    let on_disk = url.starts_with("sqlite:") && !url.contains(":memory:") && !url.contains("mode=memory");
    let options = on_disk.then(|| SqliteConnectOptions::from_str(url).ok()).flatten()?;
    let folder = options.get_filename().parent()?.to_owned();
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder })
}

/// Whether a connection that is handed back to its pool may be used again.
///
/// SQLite ends a transaction by itself when the disk is full or fails. The ROLLBACK that follows finds none, sqlx takes
/// that for a rollback that failed and goes on believing in the transaction. From then on every BEGIN would be a savepoint
/// in a transaction that nobody ever commits: confirmed writes would be lost. Such a connection is closed.
async fn is_out_of_transactions(connection: &mut SqliteConnection) -> std::result::Result<bool, sqlx::Error> {
    // The rollback of a dropped transaction is only under way; the ping waits until it has been carried out.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Connects, a few times if need be: SQLite does not wait when two processes switch a new file to WAL at once.
async fn connect_patiently(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> std::result::Result<SqlitePool, sqlx::Error> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        match pool.clone().connect_with(options.clone()).await {
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("5" | "261" | "517" | "6")) => {
                tracing::debug!(%error, "SQLite is being opened by another process, trying again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
    pool.connect_with(options).await
}

fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), std::fs::create_dir_all).map_err(|error| StoreError::Invalid {
        field: "database_url",
        problem: format!("the folder of `{}` cannot be made: {error}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::{
        ConnectionTrait as _, DatabaseConnection, SqliteTransactionMode, SqlxSqliteConnector, TransactionOptions,
    };

    use super::*;
    use crate::tx::begin_whole;

    async fn begin(writer: &DatabaseConnection) -> sea_orm::DatabaseTransaction {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        begin_whole(writer, options).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_confirmed_after_a_full_disk_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("full.db").display());
        let (writer, reader) = sqlite(&url).await.unwrap();
        let writer = SqlxSqliteConnector::from_sqlx_sqlite_pool(writer);
        writer.execute_unprepared("CREATE TABLE things (thing BLOB NOT NULL)").await.unwrap();

        // This connection may not let the file grow: to SQLite that is a full disk.
        writer.execute_unprepared("PRAGMA max_page_count = 4").await.unwrap();
        let tx = begin(&writer).await;
        let full = tx.execute_unprepared("INSERT INTO things VALUES (zeroblob(1000000))").await;
        assert!(full.unwrap_err().to_string().contains("full"));
        drop(tx);

        for kept in 1..=2 {
            let tx = begin(&writer).await;
            tx.execute_unprepared("INSERT INTO things VALUES (x'00')").await.unwrap();
            drop(tx);
            let tx = begin(&writer).await;
            tx.execute_unprepared("INSERT INTO things VALUES (x'01')").await.unwrap();
            tx.commit().await.unwrap();
            let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(&reader).await.unwrap();
            assert_eq!(seen, kept, "others see what was confirmed, and that only");
        }
    }
}
