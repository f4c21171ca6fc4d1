//! A batch in an object store, for workers that share no disk: its definition and its data next to its artefacts.

use crate::folder::{BATCH_FILE, Batch, DATA, PARTS};
use crate::submit::FAMILY;
use engines::published;
use shared::failure::Failure;
use std::path::Path;

impl Batch {
    /// Puts the definition and the copies of the data into the store of the artefacts, where that is elsewhere. What is there
    /// already stays.
    ///
    /// # Errors
    /// A store that cannot be reached, or a file that cannot be read.
    pub(crate) async fn publish(&self) -> Result<(), Failure> {
        if !self.header.artefacts.contains("://") {
            return Ok(());
        }
        published::publish(&self.root, &[DATA, PARTS, BATCH_FILE], &self.artefacts().await?, &self.header.id).await
    }

    /// Opens a batch: a folder, or what [`Batch::published`] names, which is fetched below `cache`.
    ///
    /// # Errors
    /// As [`Batch::open`]; a store that cannot be reached or does not have the batch.
    pub async fn find(place: &str, cache: &Path) -> Result<Self, Failure> {
        Self::open(&published::find(&FAMILY, place, cache).await?)
    }
}
