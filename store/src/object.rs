//! A store of objects, whatever the backend.

use crate::{Digest, Error, Key};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::fmt;
use std::sync::Arc;

/// A store of objects. Cloning it is cheap and gives the same store.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn ObjectStore>,
    /// Objects of this store begin with it, where the URL names a folder of a bucket.
    prefix: Option<Key>,
    /// The URL without user, password and query.
    name: Arc<str>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Store {
    /// A store over a backend. `name` is what messages call it: its URL without secrets.
    #[must_use]
    pub fn over(backend: Arc<dyn ObjectStore>, prefix: Option<Key>, name: &str) -> Self {
        Self { backend, prefix, name: name.into() }
    }

    /// A store that lives as long as this value and its clones.
    #[must_use]
    pub fn memory() -> Self {
        Self::over(Arc::new(object_store::memory::InMemory::new()), None, "memory:")
    }

    /// What messages call this store.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn full(&self, key: &Key) -> Result<Key, Error> {
        match &self.prefix {
            Some(prefix) => prefix.join(key.to_string()),
            None => Ok(key.clone()),
        }
    }

    fn failed(&self, doing: &'static str, key: &Key, source: object_store::Error) -> Error {
        Error::Backend { store: self.name.to_string(), doing, key: key.clone(), source: Box::new(source) }
    }

    /// The content of an object of at most `limit` bytes; none where there is no such object.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or what the backend says.
    pub async fn get(&self, key: &Key, limit: u64) -> Result<Option<Bytes>, Error> {
        let failed = |source| self.failed("read", key, source);
        let result = match self.backend.get_opts(self.full(key)?.path(), GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            other => other.map_err(failed)?,
        };
        let size = result.meta.size;
        if size > limit {
            return Err(Error::TooLarge { store: self.name.to_string(), key: key.clone(), size, limit });
        }
        result.bytes().await.map(Some).map_err(failed)
    }

    /// Writes an object, replacing one of that name. Only for objects whose name tells their content, where a
    /// replacement changes nothing.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put(&self, key: &Key, content: Bytes) -> Result<(), Error> {
        let written = self.backend.put(self.full(key)?.path(), PutPayload::from(content)).await;
        written.map(drop).map_err(|source| self.failed("write", key, source))
    }

    /// Creates an object unless there is one of that name; `false` where there is. Of several writers one gets `true`.
    ///
    /// A backend that repeats a request whose answer was lost may say `false` to the writer that won:
    /// [`Ledger::append`](crate::Ledger::append) looks at who wrote the entry.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn create(&self, key: &Key, content: Bytes) -> Result<bool, Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.backend.put_opts(self.full(key)?.path(), PutPayload::from(content), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(source) => Err(self.failed("create", key, source)),
        }
    }

    /// Whether there is an object of that name.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn exists(&self, key: &Key) -> Result<bool, Error> {
        match self.backend.head(self.full(key)?.path()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(self.failed("look for", key, source)),
        }
    }

    /// The objects below `folder`, sorted by name, those after `after` where it is given.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn list(&self, folder: &Key, after: Option<&Key>) -> Result<Vec<Key>, Error> {
        let prefix = self.full(folder)?;
        let listing = match after {
            Some(after) => self.backend.list_with_offset(Some(prefix.path()), self.full(after)?.path()),
            None => self.backend.list(Some(prefix.path())),
        };
        let skipped = self.prefix.as_ref().map_or(0, |prefix| prefix.path().parts().count());
        let mut keys: Vec<Key> = listing
            .map_ok(|object| Key::from_path(object.location.parts().skip(skipped).collect()))
            .map(|key| key.map_err(|source| self.failed("list", folder, source)))
            .try_collect()
            .await?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        match self.backend.delete(self.full(key)?.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed("remove", key, source)),
        }
    }

    /// Stores a content under its digest, below `folder`.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_blob(&self, folder: &Key, content: Bytes) -> Result<Digest, Error> {
        let digest = Digest::of(&content);
        self.put(&blob_key(folder, digest)?, content).await?;
        Ok(digest)
    }

    /// A content by its digest, checked.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::TooLarge`], or what the backend says.
    pub async fn get_blob(&self, folder: &Key, digest: Digest, limit: u64) -> Result<Bytes, Error> {
        let key = blob_key(folder, digest)?;
        let store = || self.name.to_string();
        let content =
            self.get(&key, limit).await?.ok_or_else(|| Error::Missing { store: store(), key: key.clone() })?;
        let found = Digest::of(&content);
        if found != digest { Err(Error::Damaged { store: store(), key, found }) } else { Ok(content) }
    }
}

/// Blobs lie in 256 folders by their first two digits, so that no folder of a local store gets crowded.
fn blob_key(folder: &Key, digest: Digest) -> Result<Key, Error> {
    let digits = digest.to_string();
    folder.join(format!("{}/{digits}", &digits[..2]))
}
