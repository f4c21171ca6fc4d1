//! `host-trainer models export` and `import`: out of one store, into another.

use super::args::{Answer, Place};
use super::register;
use clap::Args;
use registry::{Provenance, who};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;

/// Write models into a folder that `predict --models` and `import` read.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Output folder; models are written below the device's name.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Models to write: DEVICE/KIND/TARGET[@VERSION] or the first digits of a name, at most one per alias [default: those
    /// deployed for the device].
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Device whose deployed models are written [default: the only one].
    #[arg(long, value_name = "NAME", conflicts_with = "models")]
    device: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Export {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let versions = registry.chosen(&self.models, self.device.as_deref()).await?;
        registry.export(&versions, &self.folder).await?;
        printer.say(format!("wrote {} models into {}", versions.len(), self.folder.display()));
        Ok(())
    }
}

/// Register models exported from another store, with their history. They are checked like any other model.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Folder that `export` wrote.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    answer: Answer,
}

impl Import {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let provenance = Provenance { data_revision: None, who: who() };
        let registered = self.place.open()?.register(&self.folder, None, &provenance).await?;
        register::write(&registered, self.answer.format, printer)
    }
}
