//! Snapshots, indexes and folders' lists, read once and kept.

use super::index::{Catalogue, decode_index};
use super::pack::{Kind, Toc, parse_pack};
use super::record::{SNAPSHOT_BYTES, Snapshot};
use crate::object::blob_key;
use crate::{Digest, Error, Key, Store};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// An index is at most so long, bytes: 14 million blobs.
pub(crate) const INDEX_BYTES: u64 = 512 << 20;

/// Requests for small objects under way at a time.
const AT_ONCE: usize = 16;

/// Reads immutable objects: what was committed and not yet pushed from `<folder>/staged`, what was read before from
/// `<folder>/cache`, the rest from the store. Whatever the origin, the hash is checked.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Store,
    folder: PathBuf,
}

impl Objects {
    /// Objects of a store, with a folder of this machine to keep them in.
    #[must_use]
    pub fn new(store: Store, folder: &Path) -> Self {
        Self { store, folder: folder.to_owned() }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where an object lies that waits to be pushed.
    #[must_use]
    pub fn staged(&self, kind: &str, digest: &Digest) -> PathBuf {
        self.folder.join("staged").join(kind).join(digest.to_string())
    }

    fn cached(&self, kind: &str, digest: &Digest) -> PathBuf {
        self.folder.join("cache").join(kind).join(digest.to_string())
    }

    /// Keeps an object for later. It is checked when it is read, so that a torn one does no harm, and not keeping it neither.
    pub fn keep(&self, kind: &str, digest: &Digest, content: &[u8]) {
        let path = self.cached(kind, digest);
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(path, content);
    }

    /// The bytes of an object of this machine, if they are there and whole.
    fn local(&self, kind: &str, digest: &Digest, limit: u64, whole: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        [self.staged(kind, digest), self.cached(kind, digest)].iter().find_map(|path| {
            let content = path.exists().then(|| shared::fs::read_capped(path, limit).ok()).flatten()?;
            whole(&content).then_some(content)
        })
    }

    async fn hashed(&self, kind: &str, digest: Digest, limit: u64) -> Result<Bytes, Error> {
        if let Some(content) = self.local(kind, &digest, limit, |content| Digest::of(content) == digest) {
            return Ok(content.into());
        }
        let content = self.store.get_blob(&Key::new(kind)?, digest, limit).await?;
        self.keep(kind, &digest, &content);
        Ok(content)
    }

    fn unreadable(&self, kind: &str, digest: Digest, reason: String) -> Error {
        match Key::new(kind).map_err(Error::from).and_then(|folder| blob_key(&folder, digest)) {
            Ok(key) => Error::Content { store: self.store.name().into(), key, reason },
            Err(e) => e,
        }
    }

    /// A snapshot.
    ///
    /// # Errors
    /// As [`Store::get_blob`]; [`Error::Content`] when it is none.
    pub async fn snapshot(&self, digest: Digest) -> Result<Snapshot, Error> {
        let content = self.hashed("snapshots", digest, SNAPSHOT_BYTES).await?;
        Snapshot::decode(&content).map_err(|reason| self.unreadable("snapshots", digest, reason))
    }

    /// Snapshots, several requests at a time.
    ///
    /// # Errors
    /// As [`Objects::snapshot`].
    pub async fn snapshots(&self, digests: &[Digest]) -> Result<Vec<Snapshot>, Error> {
        let read: Vec<_> = digests.iter().map(|digest| self.snapshot(*digest)).collect();
        stream::iter(read).buffered(AT_ONCE).try_collect().await
    }

    /// An index.
    ///
    /// # Errors
    /// As [`Store::get_blob`]; [`Error::Content`] when it is none.
    pub async fn index(&self, digest: Digest) -> Result<Vec<Toc>, Error> {
        let content = self.hashed("indexes", digest, INDEX_BYTES).await?;
        decode_index(&content).map_err(|reason| self.unreadable("indexes", digest, reason))
    }

    /// Folders' lists by their hashes. Packs of lists are read and kept whole: who wants one list wants its neighbours too.
    ///
    /// # Errors
    /// [`Error::Missing`] for a list in no index, [`Error::Damaged`], [`Error::Content`], or what the backend says.
    pub async fn lists(&self, catalogue: &Catalogue, wanted: &[Digest]) -> Result<HashMap<Digest, Bytes>, Error> {
        let mut by_pack: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for digest in wanted {
            let (pack, _) = catalogue.pack_of(digest).ok_or_else(|| self.lost("lists", *digest))?;
            by_pack.entry(*pack).or_default().push(*digest);
        }
        let read: Vec<_> =
            by_pack.into_iter().map(|(pack, blobs)| self.lists_of_pack(catalogue, pack, blobs)).collect();
        let parts: Vec<Vec<(Digest, Bytes)>> = stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn lost(&self, kind: &str, digest: Digest) -> Error {
        match Key::new(format!("{kind}/{digest}")) {
            Ok(key) => Error::Missing { store: self.store.name().into(), key },
            Err(e) => e.into(),
        }
    }

    async fn lists_of_pack(
        &self,
        catalogue: &Catalogue,
        pack: Digest,
        blobs: Vec<Digest>,
    ) -> Result<Vec<(Digest, Bytes)>, Error> {
        let places: Vec<_> = blobs
            .iter()
            .map(|blob| {
                catalogue.place(blob).map(|place| (*blob, place.range)).ok_or_else(|| self.lost("lists", *blob))
            })
            .collect::<Result<_, _>>()?;
        let toc = blobs.first().and_then(|blob| catalogue.pack_of(blob)).map(|(_, toc)| toc);
        let size = toc.map_or(0, Toc::pack_bytes);
        let cut = |content: &Bytes| -> Option<Vec<(Digest, Bytes)>> {
            places
                .iter()
                .map(|(blob, range)| {
                    let range = range.start as usize..range.end as usize;
                    let part = (content.len() >= range.end).then(|| content.slice(range))?;
                    (Digest::of(&part) == *blob).then_some((*blob, part))
                })
                .collect()
        };
        let local = self.local("packs", &pack, size, |content| parse_pack(content).is_ok_and(|toc| toc.id() == pack));
        if let Some(parts) = local.map(Bytes::from).as_ref().and_then(cut) {
            return Ok(parts);
        }
        let key = blob_key(&Key::new("packs")?, pack)?;
        if toc.is_some_and(|toc| toc.kind == Kind::Lists) {
            let content = self.store.get(&key, size).await?.ok_or_else(|| self.lost("packs", pack))?;
            let parts = cut(&content).ok_or_else(|| Error::Damaged {
                store: self.store.name().into(),
                key,
                found: Digest::of(&content),
            })?;
            self.keep("packs", &pack, &content);
            return Ok(parts);
        }
        let ranges: Vec<_> = places.iter().map(|(_, range)| range.clone()).collect();
        let parts = self.store.get_ranges(&key, &ranges).await?;
        blobs
            .into_iter()
            .zip(parts)
            .map(|(blob, part)| match Digest::of(&part) {
                found if found == blob => Ok((blob, part)),
                found => Err(Error::Damaged { store: self.store.name().into(), key: key.clone(), found }),
            })
            .collect()
    }
}
