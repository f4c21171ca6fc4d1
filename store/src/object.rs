//! A store of objects, whatever the backend.

use crate::traffic::Counters;
use crate::{Digest, Error, Key, Traffic};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use std::{fmt, fs, io};

/// A store of objects. Cloning it is cheap and gives the same store.
#[derive(Clone)]
pub struct Store {
    /// Not there yet for a folder that was not there when the store was opened.
    backend: Arc<OnceLock<Arc<dyn ObjectStore>>>,
    /// Objects of this store begin with it, where the URL names a folder of a bucket.
    prefix: Option<Key>,
    /// The URL without user, password and query.
    name: Arc<str>,
    /// Whether writing is refused: a web server has no way to create an object once.
    read_only: bool,
    /// The folder of this machine that it lies in.
    folder: Option<Arc<Path>>,
    /// Whether that folder's backend is the plain one, so that a file put there by other means is the same.
    plain: bool,
    /// Whether it was seen that a store is there.
    known: Arc<AtomicBool>,
    counters: Arc<Counters>,
}

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The object.
    pub key: Key,
    /// Its size, bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: SystemTime,
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
        Self { backend: Arc::new(OnceLock::from(backend)), ..Self::named(prefix, name) }
    }

    /// A store without a backend.
    fn named(prefix: Option<Key>, name: &str) -> Self {
        Self {
            backend: Arc::default(),
            prefix,
            name: name.into(),
            read_only: false,
            folder: None,
            plain: false,
            known: Arc::default(),
            counters: Arc::default(),
        }
    }

    /// The store in a folder of this machine, whether it is there or not.
    pub(crate) fn at(folder: PathBuf, name: &str) -> Self {
        Self { folder: Some(folder.into()), plain: true, ..Self::named(None, name) }
    }

    /// The backend. A local store is looked for on each call, so that nothing is read from or written to the place of one that
    /// has gone away.
    ///
    /// # Errors
    /// [`Error::Absent`] for a local store whose folder is not there.
    fn backend(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        if let Some(folder) = &self.folder {
            match fs::metadata(folder) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(self.absent("a file lies in its place".into())),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(self.absent("no such folder".into())),
                Err(e) => return Err(self.absent(format!("its folder cannot be looked at: {e}"))),
            }
        }
        if let Some(backend) = self.backend.get() {
            return Ok(Arc::clone(backend));
        }
        let folder = self.folder.as_deref().ok_or_else(|| self.absent("it has no backend".into()))?;
        let local = LocalFileSystem::new_with_prefix(folder).map_err(|e| self.absent(e.to_string()))?;
        Ok(Arc::clone(self.backend.get_or_init(|| Arc::new(local.with_fsync(true)))))
    }

    /// The same store with its backend wrapped: by what injects faults, for instance.
    #[must_use]
    pub fn with_backend(&self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        let backend = match self.backend() {
            Ok(backend) => Arc::new(OnceLock::from(wrap(backend))),
            Err(_) => Arc::clone(&self.backend),
        };
        Self { backend, plain: false, counters: Arc::default(), ..self.clone() }
    }

    pub(crate) fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether it was seen that a store is there.
    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    pub(crate) fn know(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// What this value and its clones have asked of the store so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.counters.read()
    }

    /// The folder of this machine that the store lies in, if it does.
    #[must_use]
    pub fn local_folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn writable(&self) -> Result<(), Error> {
        if self.read_only { Err(Error::ReadOnly { store: self.name.to_string() }) } else { Ok(()) }
    }

    /// A store that lives as long as this value and its clones.
    #[must_use]
    pub fn memory() -> Self {
        let store = Self::over(Arc::new(object_store::memory::InMemory::new()), None, "memory:");
        // It is there because this value is.
        store.know();
        store
    }

    /// What messages call this store.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn full(&self, key: &Key) -> Result<Key, Error> {
        match &self.prefix {
            Some(prefix) => Ok(prefix.join(key.to_string())?),
            None => Ok(key.clone()),
        }
    }

    pub(crate) fn absent(&self, reason: String) -> Error {
        Error::Absent { store: self.name.to_string(), reason }
    }

    fn failed(&self, doing: &'static str, key: &Key, source: object_store::Error) -> Error {
        Error::Backend { store: self.name.to_string(), doing, key: key.clone(), source: Box::new(source) }
    }

    /// The content of an object of at most `limit` bytes; `None` where there is no such object.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or what the backend says.
    pub async fn get(&self, key: &Key, limit: u64) -> Result<Option<Bytes>, Error> {
        let failed = |source| self.failed("read", key, source);
        self.counters.request();
        let result = match self.backend()?.get_opts(self.full(key)?.path(), GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            other => other.map_err(failed)?,
        };
        let size = result.meta.size;
        if size > limit {
            return Err(Error::TooLarge { store: self.name.to_string(), key: key.clone(), size, limit });
        }
        let content = result.bytes().await.map_err(failed)?;
        self.counters.received(content.len() as u64);
        Ok(Some(content))
    }

    /// Parts of an object, each as long as its range says; parts that lie close together are fetched as one.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Content`] when the object is shorter, or what the backend says.
    pub async fn get_ranges(&self, key: &Key, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Error> {
        self.counters.request();
        let parts = match self.backend()?.get_ranges(self.full(key)?.path(), ranges).await {
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::Missing { store: self.name.to_string(), key: key.clone() });
            }
            other => other.map_err(|source| self.failed("read", key, source))?,
        };
        self.counters.received(parts.iter().map(|part| part.len() as u64).sum());
        let whole = parts.len() == ranges.len()
            && parts.iter().zip(ranges).all(|(part, range)| part.len() as u64 == range.end - range.start);
        if whole {
            Ok(parts)
        } else {
            let reason = "is shorter than it must be".into();
            Err(Error::Content { store: self.name.to_string(), key: key.clone(), reason })
        }
    }

    /// Writes an object, replacing one of that name. Only for objects whose name tells their content, where a
    /// replacement changes nothing.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put(&self, key: &Key, content: Bytes) -> Result<(), Error> {
        self.writable()?;
        self.counters.request();
        self.counters.sent(content.len() as u64);
        let written = self.backend()?.put(self.full(key)?.path(), PutPayload::from(content)).await;
        written.map(drop).map_err(|source| self.failed("write", key, source))
    }

    /// As [`Store::put`], where the content is that of a file of this machine which is on the disk and will not be written again:
    /// a store in a folder of the same file system takes the file itself, by a hard link.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_file(&self, key: &Key, file: &Path, content: Bytes) -> Result<(), Error> {
        self.writable()?;
        self.backend()?;
        if let Some(folder) = self.folder.as_ref().filter(|_| self.plain && self.prefix.is_none()) {
            let (to, file) = (folder.join(key.to_string()), file.to_owned());
            if matches!(tokio::task::spawn_blocking(move || link(&file, &to)).await, Ok(Ok(()))) {
                self.counters.request();
                self.counters.sent(content.len() as u64);
                return Ok(());
            }
        }
        self.put(key, content).await
    }

    /// Creates an object unless there is one of that name; `false` where there is. Of several writers one gets `true`.
    ///
    /// A backend that repeats a request whose answer was lost may say `false` to the writer that won:
    /// [`Ledger::append`](crate::Ledger::append) looks at who wrote the entry.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn create(&self, key: &Key, content: Bytes) -> Result<bool, Error> {
        self.writable()?;
        self.counters.request();
        self.counters.sent(content.len() as u64);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.backend()?.put_opts(self.full(key)?.path(), PutPayload::from(content), options).await {
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
        self.counters.request();
        match self.backend()?.head(self.full(key)?.path()).await {
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
        Ok(self.list_all(folder, after).await?.into_iter().map(|listed| listed.key).collect())
    }

    /// As [`Store::list`], with sizes and times.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn list_all(&self, folder: &Key, after: Option<&Key>) -> Result<Vec<Listed>, Error> {
        let (prefix, backend) = (self.full(folder)?, self.backend()?);
        let listing = match after {
            Some(after) => backend.list_with_offset(Some(prefix.path()), self.full(after)?.path()),
            None => backend.list(Some(prefix.path())),
        };
        let skipped = self.skipped();
        let mut listed: Vec<Listed> = listing
            .map_ok(|object| Listed {
                key: Key::from_path(object.location.parts().skip(skipped).collect()),
                size: object.size,
                modified: object.last_modified.into(),
            })
            .map(|listed| listed.map_err(|source| self.failed("list", folder, source)))
            .try_collect()
            .await?;
        // A page holds a thousand names on every backend that has pages.
        (0..=listed.len() / 1000).for_each(|_| self.counters.request());
        listed.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    /// Segments of a backend's path that stand before a key.
    fn skipped(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.path().parts().count())
    }

    /// Whether an object below `folder` is such a one; only the first page of a listing is looked at.
    ///
    /// # Errors
    /// What the backend says.
    pub(crate) async fn any(&self, folder: &Key, such: impl Fn(&Key) -> bool) -> Result<bool, Error> {
        const LOOKED_AT: usize = 1000;
        self.counters.request();
        let (prefix, backend, skipped) = (self.full(folder)?, self.backend()?, self.skipped());
        let mut listing = backend.list(Some(prefix.path())).take(LOOKED_AT);
        while let Some(object) = listing.next().await {
            let object = object.map_err(|source| self.failed("list", folder, source))?;
            if such(&Key::from_path(object.location.parts().skip(skipped).collect())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        self.writable()?;
        self.counters.request();
        match self.backend()?.delete(self.full(key)?.path()).await {
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

    /// As [`Store::put_blob`], but what is there and whole is left alone: an upload that is torn while others use the object
    /// cannot take it from them. Its age as an object stays what it was, so that this is only for what is never removed.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn keep_blob(&self, folder: &Key, content: Bytes) -> Result<Digest, Error> {
        let digest = Digest::of(&content);
        if self.create(&blob_key(folder, digest)?, content.clone()).await? {
            return Ok(digest);
        }
        match self.get_blob(folder, digest, content.len() as u64).await {
            Ok(_) => Ok(digest),
            Err(error @ Error::Backend { .. }) => Err(error),
            // Another hash, another length, or gone meanwhile.
            Err(_) => self.put_blob(folder, content).await,
        }
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

/// Links a file to an object's place, whatever is there, and sees the folder to the disk.
fn link(file: &Path, to: &Path) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        folder.parent().map_or(Ok(()), |above| fs::File::open(above)?.sync_all())?;
    }
    // Names with a number sign and digits behind are unfinished objects to the backend, which passes them over.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let unfinished = PathBuf::from(format!("{}#{}{number:06}", to.display(), std::process::id()));
    let _ = fs::remove_file(&unfinished);
    fs::hard_link(file, &unfinished)?;
    // Its age as an object begins now.
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    rustix::fs::utimensat(
        CWD,
        &unfinished,
        &Timestamps { last_access: now, last_modification: now },
        AtFlags::empty(),
    )?;
    let renamed = fs::rename(&unfinished, to);
    // Renaming one name of a file to another of the same file does nothing.
    let _ = fs::remove_file(&unfinished);
    renamed?;
    fs::File::open(folder)?.sync_all()
}

/// Blobs lie in 256 folders by their first two digits, so that no folder of a local store gets crowded.
pub(crate) fn blob_key(folder: &Key, digest: Digest) -> Result<Key, Error> {
    let digits = digest.to_string();
    Ok(folder.join(format!("{}/{digits}", &digits[..2]))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    async fn made(folder: &Path) -> Store {
        let store = Store::open(&folder.display().to_string()).expect("a path");
        store.make().await.expect("made");
        store
    }

    #[tokio::test]
    async fn a_folder_takes_the_file_itself_and_counts_its_age_from_then() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (file, place) = (folder.path().join("pack"), folder.path().join("store"));
        fs::write(&file, b"content").expect("written");
        let long_ago = SystemTime::now() - Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(&file).and_then(|file| file.set_modified(long_ago)).expect("aged");
        let store = made(&place).await;
        let key = Key::new("packs/ab/abcd").expect("a key");
        store.put(&key, Bytes::from_static(b"torn")).await.expect("written");
        for _ in 0..2 {
            store.put_file(&key, &file, Bytes::from_static(b"content")).await.expect("linked");
            assert_eq!(store.get(&key, 100).await.expect("read").as_deref(), Some(&b"content"[..]));
        }
        let found = fs::metadata(place.join("packs/ab/abcd")).expect("there");
        assert_eq!((found.ino(), found.nlink()), (fs::metadata(&file).expect("there").ino(), 2));
        let listed = store.list_all(&Key::new("packs").expect("a key"), None).await.expect("listed");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert!(listed[0].modified > long_ago + Duration::from_secs(900_000), "gc would take it for old");
    }

    #[tokio::test]
    async fn a_blob_that_is_whole_is_left_alone_and_a_damaged_one_is_mended() {
        let store = Store::memory();
        let folder = Key::new("blobs").expect("a key");
        let content = Bytes::from_static(b"content");
        let digest = store.keep_blob(&folder, content.clone()).await.expect("created");
        store.keep_blob(&folder, content.clone()).await.expect("there");
        assert_eq!(store.traffic().sent_bytes, 14, "asked for twice, written once");
        for damage in [&b"cont"[..], b"c0ntent", b"content and more"] {
            store.put(&blob_key(&folder, digest).expect("a key"), Bytes::from_static(damage)).await.expect("damaged");
            store.keep_blob(&folder, content.clone()).await.expect("mended");
            assert_eq!(store.get_blob(&folder, digest, 100).await.expect("whole"), content);
        }
    }

    #[tokio::test]
    async fn a_file_goes_to_other_stores_as_its_content() {
        let store = Store::memory();
        let key = Key::new("packs/ab/abcd").expect("a key");
        let nowhere = Path::new("/nonexistent/pack");
        store.put_file(&key, nowhere, Bytes::from_static(b"content")).await.expect("written");
        assert_eq!(store.get(&key, 100).await.expect("read").as_deref(), Some(&b"content"[..]));
        let folder = tempfile::tempdir().expect("temporary folder");
        let store = made(folder.path()).await;
        store.put_file(&key, nowhere, Bytes::from_static(b"content")).await.expect("written");
        assert_eq!(store.get(&key, 100).await.expect("read").as_deref(), Some(&b"content"[..]));
    }
}
