//! A folder in an object store, for workers that share no disk.

use crate::job::Family;
use bytes::Bytes;
use shared::failure::{Failure, Kind};
use std::path::{Path, PathBuf};
use store::{Key, Store};

/// A file of a folder is at most so long, bytes.
const FILE: u64 = 4 << 30;

/// The folder of the store that a definition lies in.
fn definition(id: &str) -> Result<Key, Failure> {
    Ok(Key::new(format!("definitions/{id}"))?)
}

/// What a worker without the folder is given: the store's URL and the name in it.
#[must_use]
pub fn place(url: &str, id: &str) -> String {
    format!("{url}#{id}")
}

/// Puts parts of a folder, files and folders, into a store. What is there already stays. The last part is put last: whoever finds it
/// finds the others.
///
/// # Errors
/// A store that cannot be reached, or a file that cannot be read.
pub async fn publish(root: &Path, parts: &[&str], store: &Store, id: &str) -> Result<(), Failure> {
    let folder = definition(id)?;
    for part in parts {
        for entry in walkdir::WalkDir::new(root.join(part)).sort_by_file_name() {
            let Ok(entry) = entry else { continue };
            let Ok(inside) = entry.path().strip_prefix(root) else { continue };
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

/// The folder of a place: the folder itself, or what [`place`] names, which is fetched below `cache`.
///
/// # Errors
/// A store that cannot be reached, or does not have the folder.
pub async fn find(family: &Family, place: &str, cache: &Path) -> Result<PathBuf, Failure> {
    match place.rsplit_once('#') {
        Some((url, id)) if url.contains("://") => fetch(family, url, id, cache).await,
        _ => Ok(PathBuf::from(place)),
    }
}

async fn fetch(family: &Family, url: &str, id: &str, cache: &Path) -> Result<PathBuf, Failure> {
    let store = Store::open(url)?;
    let folder = definition(id)?;
    let keys = store.list(&folder, None).await?;
    if keys.is_empty() {
        let noun = family.noun;
        return Err(Failure::new(Kind::Io, format!("{}: there is no {noun} {id}", store.name())).help(format!(
            "the {noun} was generated with other --artefacts, or the credentials are another account's"
        )));
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
