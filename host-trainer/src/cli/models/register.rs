//! `host-trainer models register`: fitted models into the store.

use super::answer;
use super::args::{Answer, Place};
use super::mlflow::Tell;
use crate::output::Format;
use clap::Args;
use registry::{Provenance, Registered, Registry, data_revision, short, who};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// Register the models of a folder that `fit` wrote. Registering deploys nothing.
#[derive(Debug, Args)]
pub(super) struct Register {
    /// Folder of models.
    #[arg(value_name = "DIR")]
    models: PathBuf,
    /// Device whose models are registered [default: every device of the folder].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Revision of the data that the models were trained on.
    #[arg(long, value_name = "REV")]
    data_revision: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    tell: Tell,
    #[command(flatten)]
    answer: Answer,
}

impl Register {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let provenance = Provenance { data_revision: self.data_revision, who: who() };
        let registered = registry.register(&self.models, self.device.as_deref(), &provenance).await?;
        write(&registered, self.answer.format, printer)?;
        self.tell.of(&registry, self.device.as_deref(), printer).await
    }
}

/// What `fit --register` needs.
#[derive(Debug, Args)]
pub(in crate::cli) struct Registration {
    /// Register the models in the store.
    #[arg(long, requires = "store")]
    register: bool,
    /// Store of the models: a folder, or `s3://…`, `gs://…`, `az://…`, `https://…`.
    #[arg(long, value_name = "URL", env = "HOST_TRAINER_STORE")]
    store: Option<String>,
    /// Revision of the data, recorded with the models [default: the folder's snapshot in `data`, with `-modified` appended
    /// if the folder has changed since].
    #[arg(long, value_name = "REV", requires = "register")]
    data_revision: Option<String>,
    #[command(flatten)]
    tell: Tell,
}

impl Registration {
    /// The revision of the data in a folder, to be looked up before they are read; none where nothing is registered.
    pub(in crate::cli) fn revision_of(&self, data: &Path, printer: &Printer) -> Result<Option<String>, Failure> {
        if !self.register || self.data_revision.is_some() {
            return Ok(self.data_revision.clone());
        }
        let found = crate::cli::runtime::block_on(data_revision(data))?;
        Ok(found.unwrap_or_else(|failure| {
            printer.warn(format!("the data's revision is not known: {}", failure.message));
            None
        }))
    }
}

/// Registers what a fit of the data with this revision has written, if asked to.
pub(in crate::cli) fn register_fitted(
    registration: &Registration,
    data_revision: Option<String>,
    models: &Path,
    devices: &[&str],
    printer: &Printer,
) -> Result<(), Failure> {
    let Some(store) = registration.store.as_ref().filter(|_| registration.register) else { return Ok(()) };
    let provenance = Provenance { data_revision, who: who() };
    crate::cli::runtime::block_on(async {
        let registry = Registry::open(store)?;
        for device in devices {
            let registered = registry.register(models, Some(device), &provenance).await?;
            let new = registered.iter().filter(|one| one.new).count();
            printer.say(format!("{device}: {new} of {} models are new in {}", registered.len(), registry.name()));
            registration.tell.of(&registry, Some(device), printer).await?;
        }
        Ok(())
    })?
}

pub(super) fn write(registered: &[Registered], format: Format, printer: &Printer) -> Result<(), Failure> {
    let row = |one: &Registered| {
        let record = &one.version.record;
        vec![
            record.alias.to_string(),
            one.version.version.to_string(),
            short(record.model),
            record.model_kind.clone(),
            if one.new { "new" } else { "known" }.to_owned(),
        ]
    };
    let documents: Vec<serde_json::Value> =
        registered.iter().map(|one| serde_json::json!({ "new": one.new, "model": one.version })).collect();
    let header = ["model of", "version", "name", "kind", "registered"];
    answer::write(printer, format, &documents, &header, registered.iter().map(row).collect(), 5)
}
