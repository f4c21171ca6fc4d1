//! A folder of models, as `fit --out` writes and replaces them.

use super::deployment::{DeployedModels, Fingerprint};
use super::validate::validate;
use learn::model::{CARD_FILE, DEVICE_FILE, Target, default_device, devices, model_folder};
use learn::predict::Models;
use sha2::{Digest, Sha256};
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Attempts to read models that are replaced meanwhile.
const ATTEMPTS: usize = 5;

/// A folder of models.
#[derive(Debug)]
pub(super) struct ModelFolder {
    root: PathBuf,
}

impl ModelFolder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn default_device(&self) -> Option<String> {
        default_device(&self.root).ok()
    }

    /// The fingerprint of each device's models, from inode numbers, sizes and times of their files.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(super) fn fingerprints(&self) -> Result<BTreeMap<String, Fingerprint>, Failure> {
        Ok(devices(&self.root)?.into_iter().map(|device| (device.clone(), self.fingerprint(&device))).collect())
    }

    fn fingerprint(&self, device: &str) -> Fingerprint {
        let mut hash = Sha256::new();
        for path in self.files(device) {
            // A missing file contributes nothing, which also changes the fingerprint.
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

    /// Loads and validates the models of a device. Reads again where they are replaced meanwhile.
    ///
    /// # Errors
    /// A file that cannot be read; a model that fails a check.
    pub(super) fn load(&self, device: &str) -> Result<DeployedModels, Failure> {
        let mut attempts = 1;
        loop {
            let before = self.fingerprint(device);
            let outcome = Models::open(&self.root, device).and_then(validate);
            if self.fingerprint(device) == before || attempts == ATTEMPTS {
                return outcome;
            }
            attempts += 1;
        }
    }
}
