//! API keys: shown once, stored as a SHA-256 hash (they are 256 random bits, so no slow hash is needed).
//!
//! A key is found by its hash. How long that takes says nothing about the secret, so no comparison has to be made in
//! constant time; and it is a read only, for it happens with every request.

use rand::Rng as _;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use shopfloor_domain::{ApiKeyId, Timestamp, role::Role};

use crate::{
    Result, Store, StoreError, audit, check,
    entity::api_key::{ActiveModel, Column, Entity, Model},
    error::Doing as _,
    rows::word,
    tx::{Tx, retrying},
};

/// The actor of what nobody in particular did.
const SYSTEM: &str = "system";
/// How much of a secret is kept to tell keys apart: `sf_` and eight digits.
const PREFIX: usize = 11;
/// What the first key is called.
const FIRST: &str = "admin";

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

/// Makes a key, on behalf of nobody in particular; see [`create_as`].
///
/// # Errors
/// `Invalid` for a NUL in the name, `Database`.
pub async fn create(
    store: &Store,
    name: &str,
    role: Role,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewKey> {
    create_as(store, SYSTEM, name, role, expires_at, now).await
}

/// Makes a key. The audit log keeps who made it.
///
/// # Errors
/// As [`create`].
pub async fn create_as(
    store: &Store,
    by: &str,
    name: &str,
    role: Role,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewKey> {
    check::text("name", name)?;
    retrying(|| create_once(store, by, name, role, expires_at, now)).await
}

async fn create_once(
    store: &Store,
    by: &str,
    name: &str,
    role: Role,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewKey> {
    let tx = store.begin("making an API key").await?;
    let made = insert(&tx, by, name, role, expires_at, now).await?;
    tx.commit().await?;
    Ok(made)
}

/// Makes the first admin key, named `admin`, if there is no key at all yet; `None` otherwise. Safe when two processes try.
///
/// # Errors
/// `Database`.
pub async fn bootstrap(store: &Store, now: Timestamp) -> Result<Option<NewKey>> {
    retrying(|| bootstrap_once(store, now)).await
}

async fn bootstrap_once(store: &Store, now: Timestamp) -> Result<Option<NewKey>> {
    const DOING: &str = "making the first API key";
    let tx = store.begin(DOING).await?;
    // Every new key needs this lock for its audit entry, so none can appear between the look and the insert.
    audit::lock(&tx).await?;
    if Entity::find().limit(1).one(tx.db()).await.doing(DOING)?.is_some() {
        return Ok(None);
    }
    let made = insert(&tx, SYSTEM, FIRST, Role::Admin, None, now).await?;
    tx.commit().await?;
    Ok(Some(made))
}

async fn insert(
    tx: &Tx,
    by: &str,
    name: &str,
    role: Role,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewKey> {
    let secret = draw();
    let prefix = secret.chars().take(PREFIX).collect();
    let (id, name) = (ApiKeyId::new(), name.to_owned());
    let key = ApiKey { id, name, prefix, role, created_at: now, expires_at, revoked_at: None };
    let row = ActiveModel {
        id: Set(key.id.0),
        name: Set(key.name.clone()),
        prefix: Set(key.prefix.clone()),
        role: Set(key.role.to_string()),
        hash: Set(hash(&secret)),
        created_at: Set(now.0),
        expires_at: Set(expires_at.map(|at| at.0)),
        revoked_at: Set(None),
    };
    row.insert(tx.db()).await.doing("making an API key")?;
    audit::write(tx, None, None, "key.created", by, about(&key), now).await?;
    Ok(NewKey { key, secret })
}

/// The live key with this secret; `None` when unknown, expired or revoked. Writes nothing.
///
/// # Errors
/// `Database`.
pub async fn authenticate(store: &Store, secret: &str, now: Timestamp) -> Result<Option<ApiKey>> {
    let row = Entity::find().filter(Column::Hash.eq(hash(secret))).one(store.read());
    let Some(row) = row.await.doing("looking up an API key")? else { return Ok(None) };
    let key = ApiKey::try_from(row)?;
    let live = key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at);
    Ok(live.then_some(key))
}

/// Every key, newest first.
///
/// # Errors
/// `Database`.
pub async fn list(store: &Store) -> Result<Vec<ApiKey>> {
    let rows = Entity::find().order_by_desc(Column::Id).all(store.read()).await.doing("listing API keys")?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Revokes a key, on behalf of nobody in particular; see [`revoke_as`].
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn revoke(store: &Store, id: ApiKeyId, now: Timestamp) -> Result<ApiKey> {
    revoke_as(store, SYSTEM, id, now).await
}

/// Revokes a key. Revoking twice changes nothing. The audit log keeps who did it.
///
/// # Errors
/// `NotFound`, `Database`.
pub async fn revoke_as(store: &Store, by: &str, id: ApiKeyId, now: Timestamp) -> Result<ApiKey> {
    retrying(|| revoke_once(store, by, id, now)).await
}

async fn revoke_once(store: &Store, by: &str, id: ApiKeyId, now: Timestamp) -> Result<ApiKey> {
    const DOING: &str = "revoking an API key";
    let tx = store.begin(DOING).await?;
    let row = Entity::find_by_id(id.0).lock_exclusive().one(tx.db()).await.doing(DOING)?;
    let row = row.ok_or_else(|| StoreError::not_found("key", id))?;
    if row.revoked_at.is_some() {
        return row.try_into();
    }
    let mut row = row.into_active_model();
    row.revoked_at = Set(Some(now.0));
    let key = ApiKey::try_from(row.update(tx.db()).await.doing(DOING)?)?;
    audit::write(&tx, None, None, "key.revoked", by, about(&key), now).await?;
    tx.commit().await?;
    Ok(key)
}

/// A new secret, from the operating system's randomness.
fn draw() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("sf_{}", hex::encode(bytes))
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

fn about(key: &ApiKey) -> serde_json::Value {
    json!({"key_id": key.id, "name": key.name, "prefix": key.prefix, "role": key.role})
}

impl TryFrom<Model> for ApiKey {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            prefix: row.prefix,
            role: word("api_keys.role", &row.role)?,
            created_at: Timestamp(row.created_at),
            expires_at: row.expires_at.map(Timestamp),
            revoked_at: row.revoked_at.map(Timestamp),
        })
    }
}
