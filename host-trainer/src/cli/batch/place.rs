//! Where batches lie, and which of them is meant.

use batch::folder::{Batch, find};
use clap::Args;
use shared::failure::Failure;
use std::path::PathBuf;

/// The folder of all batches.
#[derive(Debug, Args)]
pub(in crate::cli) struct Place {
    /// Folder of all batches.
    #[arg(long, value_name = "DIR", env = "HOST_TRAINER_BATCHES", default_value = "batches")]
    pub(in crate::cli) batches: PathBuf,
}

/// A batch, and the folder of all.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Batch: its folder, its name, or its number among all batches.
    #[arg(value_name = "BATCH")]
    pub(super) batch: String,
    #[command(flatten)]
    pub(super) place: Place,
}

impl One {
    pub(super) fn open(&self) -> Result<Batch, Failure> {
        Batch::open(&find(&self.place.batches, &self.batch)?)
    }
}
