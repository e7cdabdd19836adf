//! What can go wrong at the record.

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
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Database { .. } | Self::Blob { .. })
    }
}
