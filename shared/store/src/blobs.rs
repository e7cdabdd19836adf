//! The bytes of files and artifacts, content-addressed, behind `object_store`.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, path::Path as Key};
use sha2::{Digest as _, Sha256};

use crate::{Result, StoreError};

/// Where bytes live. Keys are `sha256/ab/abcdef…`; the same bytes are stored once.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<dyn ObjectStore>);

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The key to read it back with.
    pub key: String,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Blobs {
    /// Opens the blob folder, and makes it if need be.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(|error| StoreError::Invalid {
            field: "blob_dir",
            problem: format!("the folder `{}` cannot be made: {error}", dir.display()),
        })?;
        let files = LocalFileSystem::new_with_prefix(dir)
            .map_err(|source| StoreError::Blob { doing: "opening the folder of files and artifacts", source })?;
        // A row that names a blob must not survive a power cut that its bytes do not.
        Ok(Self(Arc::new(files.with_fsync(true))))
    }

    /// Stores bytes: all of them or nothing. Storing the same bytes again changes nothing.
    ///
    /// # Errors
    /// `Blob`.
    pub async fn put(&self, bytes: Bytes) -> Result<Stored> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let sha256 = digest(bytes.clone()).await?;
        let stored = Stored { key: format!("sha256/{}/{sha256}", &sha256[..2]), sha256, size };
        let key = Key::from(stored.key.as_str());
        match self.0.head(&key).await {
            Ok(there) if there.size == size => Ok(stored),
            // Not there, or cut short by somebody else: the whole file takes its place in one move.
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {
                let put = self.0.put(&key, PutPayload::from_bytes(bytes)).await;
                put.map_err(|source| StoreError::Blob { doing: "storing a blob", source })?;
                Ok(stored)
            }
            Err(source) => Err(StoreError::Blob { doing: "looking for a blob", source }),
        }
    }

    /// Reads bytes back. `StoreError::NotFound` when the key is unknown, or is none of ours: keys never lead out of the
    /// folder.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` when the bytes are not what was stored; `Blob`.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        let missing = || StoreError::not_found("blob", key);
        let sha256 = hash_in(key).ok_or_else(missing)?;
        let failed = |source| match source {
            object_store::Error::NotFound { .. } => missing(),
            source => StoreError::Blob { doing: "reading a blob", source },
        };
        let found = self.0.get(&Key::from(key)).await.map_err(failed)?;
        let bytes = found.bytes().await.map_err(failed)?;
        if digest(bytes.clone()).await? == sha256 {
            Ok(bytes)
        } else {
            Err(StoreError::corrupt("blob", format!("`{key}` does not hold the bytes that were stored")))
        }
    }
}

/// The hash in a key that this module made; `None` for every other text.
fn hash_in(key: &str) -> Option<&str> {
    let (shard, hash) = key.strip_prefix("sha256/")?.split_once('/')?;
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let ours = hash.len() == 64 && hash.bytes().all(hexadecimal) && shard.len() == 2 && hash.starts_with(shard);
    ours.then_some(hash)
}

/// Lower-case hexadecimal SHA-256, off the runtime's threads: large bytes take a while.
async fn digest(bytes: Bytes) -> Result<String> {
    let hashed = tokio::task::spawn_blocking(move || hex::encode(Sha256::digest(&bytes))).await;
    hashed.map_err(|source| StoreError::Blob { doing: "hashing a blob", source: source.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_bytes_are_stored_once_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&dir.path().join("made/on/demand")).unwrap();
        let (first, again) = tokio::join!(blobs.put("hello".into()), blobs.put("hello".into()));
        let stored = first.unwrap();
        assert_eq!(stored, again.unwrap());
        assert_eq!(stored.sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!((stored.key.as_str(), stored.size), (format!("sha256/2c/{}", stored.sha256).as_str(), 5));
        assert_eq!(blobs.get(&stored.key).await.unwrap(), "hello");
        let empty = blobs.put(Bytes::new()).await.unwrap();
        assert_eq!(blobs.get(&empty.key).await.unwrap(), "");
    }

    #[tokio::test]
    async fn keys_never_lead_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        let blobs = Blobs::open(&dir.path().join("blobs")).unwrap();
        let long = "a".repeat(64);
        let keys = [
            "../secret".to_owned(),
            "sha256/../../secret".to_owned(),
            "/etc/passwd".to_owned(),
            String::new(),
            format!("sha256/ab/{long}"),
            format!("sha256/aa/{}", long.to_uppercase()),
            format!("sha256/aa/{long}/x"),
            format!("sha256/aa/{long}"),
        ];
        for key in keys {
            let error = blobs.get(&key).await.unwrap_err();
            assert!(matches!(error, StoreError::NotFound { .. }), "{key}: {error}");
        }
    }

    #[tokio::test]
    async fn damaged_bytes_are_noticed_and_healed_by_storing_them_again() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let stored = blobs.put("hello".into()).await.unwrap();
        let file = dir.path().join(&stored.key);
        std::fs::write(&file, "hell").unwrap();
        assert!(matches!(blobs.get(&stored.key).await.unwrap_err(), StoreError::Corrupt { .. }));
        blobs.put("hello".into()).await.unwrap();
        assert_eq!(blobs.get(&stored.key).await.unwrap(), "hello");
        std::fs::remove_file(file).unwrap();
        assert!(matches!(blobs.get(&stored.key).await.unwrap_err(), StoreError::NotFound { .. }));
    }
}
