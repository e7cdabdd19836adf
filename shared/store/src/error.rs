//! What can go wrong at the record.

use sea_orm::{DbErr, RuntimeErr, sqlx};
use shopfloor_domain::Fence;

/// An error of the record: what was being tried, and why it failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The caller is a ghost: its order was claimed again, ended or parked since it was claimed with this epoch.
    #[error("the claim {fence} is no longer valid: stop working on this order")]
    Fenced {
        /// The claim that was shown.
        fence: Fence,
        /// The write that was refused, as the `op` label of `shopfloor_fenced_writes_total`.
        op: &'static str,
    },
    /// There is no such row.
    #[error("there is no {kind} `{id}`")]
    NotFound {
        /// What was looked for, e.g. `task`.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The move is not legal in the row's present state.
    #[error("{what} cannot be {tried}: it is {state}")]
    Conflict {
        /// What it was about, e.g. `task 0199…`.
        what: String,
        /// What was tried, as a participle.
        tried: &'static str,
        /// Its present state.
        state: String,
    },
    /// The same idempotency key came with a different request.
    #[error("the idempotency key `{key}` was used for a different request")]
    IdempotencyMismatch {
        /// The key.
        key: String,
    },
    /// A value does not fit into the record.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field, in the caller's words.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A row holds something that this version cannot read.
    #[error("the record holds an unreadable {what}: {problem}")]
    Corrupt {
        /// The table and column.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The database failed or cannot be reached.
    #[error("{doing}")]
    Database {
        /// What was being tried.
        doing: &'static str,
        /// The driver's error.
        source: sea_orm::DbErr,
    },
    /// The blob store failed.
    #[error("{doing}")]
    Blob {
        /// What was being tried.
        doing: &'static str,
        /// The blob store's error.
        source: object_store::Error,
    },
}

impl StoreError {
    /// Whether trying again later may help: the database or the blob store was out of reach or busy.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_passing(source),
            Self::Blob { source, .. } => !matches!(
                source,
                object_store::Error::NotFound { .. }
                    | object_store::Error::InvalidPath { .. }
                    | object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. }
                    | object_store::Error::UnknownConfigurationKey { .. }
            ),
            _ => false,
        }
    }

    /// `NotFound` for `kind` with this id.
    pub(crate) fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }

    /// `Corrupt` for a column that holds something unreadable.
    pub(crate) fn corrupt(what: &'static str, problem: impl ToString) -> Self {
        Self::Corrupt { what, problem: problem.to_string() }
    }
}

/// Says what was being tried when the database failed.
pub(crate) trait Doing<T> {
    /// Turns the driver's error into [`StoreError::Database`].
    fn doing(self, doing: &'static str) -> crate::Result<T>;
}

impl<T> Doing<T> for Result<T, DbErr> {
    fn doing(self, doing: &'static str) -> crate::Result<T> {
        self.map_err(|source| StoreError::Database { doing, source })
    }
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> crate::Result<T> {
        self.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(std::sync::Arc::new(error)))).doing(doing)
    }
}

/// Whether the transaction lost against another one and kept nothing, so that it may simply be run again.
pub(crate) fn is_collision(error: &StoreError) -> bool {
    let StoreError::Database { source, .. } = error else { return false };
    let Some(sqlx::Error::Database(error)) = sqlx_error(source) else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        matches!(code.as_ref(), "40001" | "40P01")
    } else {
        sqlite_primary(&code).is_some_and(|code| matches!(code, SQLITE_BUSY | SQLITE_LOCKED))
    }
}

const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;

/// The primary result code: SQLite reports extended ones, whose low byte it is.
fn sqlite_primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Whether the same statement may succeed later. PostgreSQL classes: 08 connection, 40 rollback, 53 resources,
/// 55 lock not available, 57 shutdown or statement timeout, 58 its own I/O.
fn is_passing(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_)) {
        return true;
    }
    match sqlx_error(error) {
        Some(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                ["08", "25P", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
            } else {
                sqlite_primary(&code).is_some_and(|code| {
                    matches!(code, SQLITE_BUSY | SQLITE_LOCKED | SQLITE_IOERR | SQLITE_FULL | SQLITE_CANTOPEN)
                })
            }
        }
        Some(error) => matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        ),
        None => false,
    }
}
