//! Models in a folder, as `fit --out` writes and replaces them.

use super::Deployed;
use super::source::{Mark, prove};
use learn::model::{CARD_FILE, DEVICE_FILE, Target, default_device, devices, model_folder};
use learn::predict::Models;
use sha2::{Digest, Sha256};
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Attempts to read a set that is replaced meanwhile.
const ATTEMPTS: usize = 5;

/// A folder of models.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn default_device(&self) -> Option<String> {
        default_device(&self.root).ok()
    }

    /// What the models of each device are, by their files' numbers, sizes and times.
    pub(super) fn marks(&self) -> Result<BTreeMap<String, Mark>, Failure> {
        Ok(devices(&self.root)?.into_iter().map(|device| (device.clone(), self.mark(&device))).collect())
    }

    fn mark(&self, device: &str) -> Mark {
        let mut hash = Sha256::new();
        for path in self.files(device) {
            // A file that is not there is part of what is.
            if let Ok(metadata) = std::fs::metadata(&path) {
                hash.update(path.as_os_str().as_encoded_bytes());
                for number in [metadata.ino(), metadata.size()] {
                    hash.update(number.to_le_bytes());
                }
                for time in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
                    hash.update(time.to_le_bytes());
                }
            }
        }
        format!("{:x}", hash.finalize())
    }

    fn files(&self, device: &str) -> impl Iterator<Item = PathBuf> {
        let cards = Table::ALL.into_iter().flat_map(|table| Target::ALL.map(|target| (table, target)));
        let cards: Vec<PathBuf> =
            cards.map(|(table, target)| model_folder(&self.root, device, table, target).join(CARD_FILE)).collect();
        std::iter::once(self.root.join(device).join(DEVICE_FILE)).chain(cards)
    }

    /// Loads the models of a device. Where they are replaced while they are read, reads again.
    pub(super) fn load(&self, device: &str) -> Result<Deployed, Failure> {
        let mut attempts = 1;
        loop {
            let before = self.mark(device);
            let outcome = Models::open(&self.root, device).and_then(prove);
            if self.mark(device) == before || attempts == ATTEMPTS {
                return outcome;
            }
            attempts += 1;
        }
    }
}
