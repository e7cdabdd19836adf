//! API keys: shown once, stored as a SHA-256 hash (they are 256 random bits, so no slow hash is needed).

use serde::{Deserialize, Serialize};
use shopfloor_domain::{ApiKeyId, Timestamp, role::Role};

use crate::{Result, Store};

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The first characters, to tell keys apart.
    pub prefix: String,
    /// What its holder may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A key with its secret, `sf_` and 64 hexadecimal digits. The only time the secret is seen.
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// The secret.
    pub secret: String,
}

/// Makes a key.
pub async fn create(
    _store: &Store,
    _name: &str,
    _role: Role,
    _expires_at: Option<Timestamp>,
    _now: Timestamp,
) -> Result<NewKey> {
    todo!()
}

/// Makes the first admin key, named `admin`, if there is no key at all yet; `None` otherwise. Safe when two processes try.
pub async fn bootstrap(_store: &Store, _now: Timestamp) -> Result<Option<NewKey>> {
    todo!()
}

/// The live key with this secret; `None` when unknown, expired or revoked.
pub async fn authenticate(_store: &Store, _secret: &str, _now: Timestamp) -> Result<Option<ApiKey>> {
    todo!()
}

/// Every key, newest first.
pub async fn list(_store: &Store) -> Result<Vec<ApiKey>> {
    todo!()
}

/// Revokes a key. Revoking twice changes nothing.
pub async fn revoke(_store: &Store, _id: ApiKeyId, _now: Timestamp) -> Result<ApiKey> {
    todo!()
}
