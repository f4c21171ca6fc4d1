//! How a store is told from a place where one should be: the marker, and what stores without one contain.

use crate::{Error, Key, Store};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fs;

/// The object that says that this is a store.
pub const MARKER: &str = "layerjoule-store.json";
/// The newest format of a store that this version reads and writes.
const FORMAT: u32 = 1;
/// A marker is at most so long, bytes.
const MARKER_BYTES: u64 = 4096;
/// Where stores without a marker have their objects: every earlier version wrote to these folders only.
const FOLDERS: [&str; 8] =
    ["branches", "tags", "packs", "indexes", "snapshots", "models/registered", "models/promotions", "models/blobs"];

/// Content of the marker.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    format: u32,
}

impl Store {
    /// Makes the store where it is not there yet: the folder of a local one, and the marker. Whoever makes it again changes
    /// nothing. Only what begins a store calls it: `data init`, `models register`, the agent's first push. A store that can only
    /// be read is not made, but must be there.
    ///
    /// ```
    /// use store::Store;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), store::Error> {
    /// let folder = tempfile::tempdir().expect("a folder");
    /// let place = folder.path().join("store");
    /// let store = Store::open(&place.display().to_string())?;
    /// assert!(store.require().await.is_err() && !place.exists(), "opening a store makes nothing");
    /// store.make().await?;
    /// store.require().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A folder that cannot be created, what the backend says, or a store of a later format.
    pub async fn make(&self) -> Result<(), Error> {
        if self.is_read_only() {
            return self.require().await;
        }
        if let Some(folder) = self.local_folder() {
            fs::create_dir_all(folder).map_err(|e| self.absent(format!("its folder cannot be created: {e}")))?;
        }
        self.mark().await
    }

    /// Gives a store its marker if it has none. Unlike [`Store::make`] it creates no folder.
    ///
    /// # Errors
    /// [`Error::Absent`] for a local store whose folder is not there; what the backend says.
    pub(crate) async fn mark(&self) -> Result<(), Error> {
        if self.is_known() || self.marked().await? {
            return Ok(());
        }
        let content = serde_json::to_vec(&Marker { format: FORMAT }).map_err(|e| self.foreign(e.to_string()))?;
        // Another may have been quicker, which is as good.
        self.create(&Key::new(MARKER)?, Bytes::from(content)).await?;
        self.know();
        Ok(())
    }

    /// Sees that the store is there: it has a marker, or objects that stores without one have. Where a listing was empty, this
    /// tells a store in which nothing lies yet from a place where no store is.
    ///
    /// # Errors
    /// [`Error::Absent`] where no store is, [`Error::Content`] for a store of a later format, or what the backend says.
    pub async fn require(&self) -> Result<(), Error> {
        if self.is_known() || self.marked().await? {
            return Ok(());
        }
        for folder in FOLDERS {
            if self.any(&Key::new(folder)?, is_ours).await? {
                self.know();
                return Ok(());
            }
        }
        Err(self.absent(match self.local_folder() {
            Some(folder) if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) => {
                "its folder is empty".into()
            }
            _ => format!("there is neither `{MARKER}` nor anything else that a store contains"),
        }))
    }

    /// Whether the marker is there.
    async fn marked(&self) -> Result<bool, Error> {
        let Some(content) = self.get(&Key::new(MARKER)?, MARKER_BYTES).await? else { return Ok(false) };
        let marker: Marker = serde_json::from_slice(&content).map_err(|e| self.foreign(e.to_string()))?;
        if marker.format > FORMAT {
            return Err(
                self.foreign(format!("the store has format {}, this version reads up to {FORMAT}", marker.format))
            );
        }
        self.know();
        Ok(true)
    }

    fn foreign(&self, reason: String) -> Error {
        match Key::new(MARKER) {
            Ok(key) => Error::Content { store: self.name().to_owned(), key, reason },
            Err(e) => e.into(),
        }
    }
}

/// Whether an object has a name that we give: a hash, or the number of an entry.
fn is_ours(key: &Key) -> bool {
    let name = key.name();
    let all = |test: fn(&u8) -> bool| name.as_bytes().iter().all(test);
    match name.len() {
        64 => all(u8::is_ascii_hexdigit),
        12 => all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    fn key(name: &str) -> Key {
        Key::new(name).expect("a key")
    }

    /// A bucket, and another view of it that knows nothing yet.
    fn bucket() -> (Store, Store) {
        let backend = Arc::new(InMemory::new());
        let view = || Store::over(Arc::clone(&backend) as _, Some(key("folder")), "s3://bucket/folder");
        (view(), view())
    }

    #[tokio::test]
    async fn a_place_without_a_store_is_told_from_an_empty_store() {
        let (store, other) = bucket();
        assert!(matches!(other.require().await, Err(Error::Absent { .. })));
        store.make().await.expect("made");
        store.make().await.expect("made again");
        other.require().await.expect("there");
    }

    #[tokio::test]
    async fn a_store_without_a_marker_is_known_by_what_it_contains() {
        let digest = crate::Digest::of(b"x").to_string();
        for name in [
            format!("packs/{}/{digest}", &digest[..2]),
            "branches/main/000000000001".into(),
            "tags/first/000000000001".into(),
            "models/registered/board/dense/power/000000000001".into(),
            format!("models/blobs/{}/{digest}", &digest[..2]),
        ] {
            let (store, other) = bucket();
            store.put(&key(&name), Bytes::from_static(b"x")).await.expect("written");
            other.require().await.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        for name in ["packs/readme.txt", "branches/main/notes", "models/resnet18.onnx", "other"] {
            let (store, other) = bucket();
            store.put(&key(name), Bytes::from_static(b"x")).await.expect("written");
            assert!(other.require().await.is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_marker_of_a_later_format_or_of_another_program_is_refused() {
        for content in [&br#"{"format":2}"#[..], b"{}", b"store"] {
            let (store, other) = bucket();
            store.put(&key(MARKER), Bytes::from_static(content)).await.expect("written");
            assert!(matches!(other.require().await, Err(Error::Content { .. })));
            assert!(matches!(other.make().await, Err(Error::Content { .. })));
        }
        let (store, other) = bucket();
        store.put(&key(MARKER), Bytes::from_static(br#"{"format":1,"later":"member"}"#)).await.expect("written");
        other.require().await.expect("members that a later version adds are no reason to refuse");
    }

    #[tokio::test]
    async fn a_local_store_that_is_gone_comes_back_only_by_being_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a/store");
        let store = Store::open(&place.display().to_string()).expect("a path");
        let object = key("packs/x");
        let content = Bytes::from_static(b"x");
        for gone in 0..2 {
            assert!(matches!(store.get(&object, 10).await, Err(Error::Absent { .. })));
            assert!(matches!(store.list(&key("packs"), None).await, Err(Error::Absent { .. })));
            assert!(matches!(store.put(&object, content.clone()).await, Err(Error::Absent { .. })));
            assert!(matches!(store.create(&object, content.clone()).await, Err(Error::Absent { .. })));
            assert!(matches!(store.put_file(&object, folder.path(), content.clone()).await, Err(Error::Absent { .. })));
            assert!(matches!(store.delete(&object).await, Err(Error::Absent { .. })));
            assert!(matches!(store.exists(&object).await, Err(Error::Absent { .. })));
            assert!(matches!(store.get_ranges(&object, &[]).await, Err(Error::Absent { .. })));
            assert!(!place.exists(), "{gone}: nothing was made");
            if gone == 0 {
                store.make().await.expect("made");
                store.put(&object, content.clone()).await.expect("written");
                fs::rename(&place, folder.path().join("unmounted")).expect("unmounted");
            }
        }
    }
}
