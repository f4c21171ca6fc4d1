//! A batch in an object store, for workers that share no disk: its definition and its data next to its artefacts.

use crate::folder::{BATCH_FILE, Batch, DATA, PARTS};
use bytes::Bytes;
use shared::failure::{Failure, Kind};
use std::path::{Path, PathBuf};
use store::{Key, Store};

/// A file of a batch is at most so long, bytes.
const FILE: u64 = 4 << 30;

impl Batch {
    /// The folder of the store that the batch's definition lies in.
    fn definition(id: &str) -> Result<Key, Failure> {
        Ok(Key::new(format!("definitions/{id}"))?)
    }

    /// What a worker without the folder is given: the store's URL and the batch's name in it.
    #[must_use]
    pub fn published(&self) -> String {
        format!("{}#{}", self.header.artefacts, self.header.id)
    }

    /// Puts the definition and the copies of the data into the store of the artefacts, where that is elsewhere. What is there
    /// already stays.
    ///
    /// # Errors
    /// A store that cannot be reached, or a file that cannot be read.
    pub(crate) async fn publish(&self) -> Result<(), Failure> {
        if !self.header.artefacts.contains("://") {
            return Ok(());
        }
        let store = self.artefacts().await?;
        let folder = Self::definition(&self.header.id)?;
        // The description last: whoever finds it finds all that it describes.
        for part in [DATA, PARTS, BATCH_FILE] {
            for entry in walkdir::WalkDir::new(self.root.join(part)).sort_by_file_name() {
                let Ok(entry) = entry else { continue };
                let Ok(inside) = entry.path().strip_prefix(&self.root) else { continue };
                if !entry.file_type().is_file() {
                    continue;
                }
                let content = std::fs::read(entry.path()).map_err(|e| Failure::io(entry.path(), "read", &e))?;
                let name: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                store.create(&folder.join(name.join("/"))?, Bytes::from(content)).await?;
            }
        }
        Ok(())
    }

    /// Opens a batch: a folder, or what [`Batch::published`] names, which is fetched below `cache`.
    ///
    /// # Errors
    /// As [`Batch::open`]; a store that cannot be reached or does not have the batch.
    pub async fn find(place: &str, cache: &Path) -> Result<Self, Failure> {
        match place.rsplit_once('#') {
            Some((url, id)) if url.contains("://") => Self::open(&fetch(url, id, cache).await?),
            _ => Self::open(Path::new(place)),
        }
    }
}

async fn fetch(url: &str, id: &str, cache: &Path) -> Result<PathBuf, Failure> {
    let store = Store::open(url)?;
    let folder = Batch::definition(id)?;
    let keys = store.list(&folder, None).await?;
    if keys.is_empty() {
        return Err(Failure::new(Kind::Io, format!("{}: there is no batch {id}", store.name()))
            .help("the batch was generated with other --artefacts, or the credentials are another account's"));
    }
    let root = cache.join(id);
    for key in keys {
        let name = key.to_string();
        let Some(inside) = name.strip_prefix(&format!("{folder}/")) else { continue };
        let to = root.join(inside);
        if to.exists() {
            continue;
        }
        let Some(content) = store.get(&key, FILE).await? else { continue };
        shared::fs::write_atomic(&to, &content)?;
    }
    Ok(root)
}
