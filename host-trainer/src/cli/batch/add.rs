//! `host-trainer batch add`.

use super::generate::What;
use super::place::Place;
use crate::cli::runtime;
use batch::folder::{Batch, find};
use clap::Args;
use shared::failure::Failure;
use shared::printer::Printer;

/// Add tasks to a batch: more networks of what it trains, or other models. Workers that are there take them up.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Batch to add to: its folder, its name, or its number.
    #[arg(long, value_name = "BATCH")]
    to: String,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    place: Place,
}

impl Add {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let mut batch = Batch::open(&find(&self.place.batches, &self.to)?)?;
        let settings = self.what.settings(self.place.batches.clone())?;
        let added = runtime::block_on(settings.add_to(&mut batch))??;
        printer.say(format!("{added} tasks are added to {}, which has {} now", batch.name(), batch.tasks.len()));
        Ok(())
    }
}
