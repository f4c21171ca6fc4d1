//! Model files on this machine, by their hash, and what was deployed when a store was last seen.

use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use std::path::{Path, PathBuf};
use store::Digest;

/// A folder of model files by their hash. Whatever is wrong with it, it costs a download, never a wrong answer: every file
/// is checked when read.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in a folder, made when something is put there.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The user's: `$XDG_CACHE_HOME/host-trainer/models`, else below `~/.cache`; `None` where neither is known.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Self::at(&base.join("host-trainer/models")))
    }

    fn file(&self, digest: Digest) -> PathBuf {
        let digits = digest.to_string();
        self.folder.join(&digits[..2]).join(digits)
    }

    /// A content, where it is there and whole.
    pub(super) fn get(&self, digest: Digest, limit: u64) -> Option<Vec<u8>> {
        let content = read_capped(&self.file(digest), limit).ok()?;
        (Digest::of(&content) == digest).then_some(content)
    }

    /// Keeps a content. A full disk costs a download next time, nothing else.
    pub(super) fn put(&self, digest: Digest, content: &[u8]) {
        let _ = write_atomic(&self.file(digest), content);
    }

    fn deployments(&self, store: &str) -> PathBuf {
        self.folder.join("deployments").join(&Digest::of(store.as_bytes()).to_string()[..16])
    }

    /// Keeps what is deployed for a device, as `store` says now.
    pub(super) fn remember<T: Serialize>(&self, store: &str, device: &str, deployment: &T) {
        if let Ok(json) = serde_json::to_vec(deployment) {
            let _ = write_atomic(&self.deployments(store).join(format!("{device}.json")), &json);
        }
    }

    /// What was deployed when the store was last seen, for a device, or for the only one there was.
    pub(super) fn recall<T: DeserializeOwned>(&self, store: &str, device: Option<&str>) -> Option<T> {
        let folder = self.deployments(store);
        let file = match device {
            Some(device) => folder.join(format!("{device}.json")),
            None => {
                let mut files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
                let only = files.next()?;
                files.next().is_none().then_some(only)?
            }
        };
        serde_json::from_slice(&read_capped(&file, limits::SMALL_FILE_BYTES).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_of_the_cache_is_not_used() {
        let folder = tempfile::tempdir().expect("folder");
        let cache = Cache::at(folder.path());
        let digest = Digest::of(b"whole");
        assert_eq!(cache.get(digest, 100), None);
        cache.put(digest, b"whole");
        assert_eq!(cache.get(digest, 100).as_deref(), Some(&b"whole"[..]));
        std::fs::write(cache.file(digest), b"torn").expect("damage");
        assert_eq!(cache.get(digest, 100), None);
    }
}
