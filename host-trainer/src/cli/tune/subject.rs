//! What a study is about: data, and the error that counts.

use crate::cli::fit::{DeviceChoice, fit_devices};
use crate::evaluate::Judged;
use crate::fit::plan::Plan;
use crate::training::{self, TrainingData};
use crate::tune::objective::{LayerObjective, LayerSettings, Metric};
use crate::tune::worker::Objective;
use clap::Args;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Table;

/// Data, and the error that counts.
#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
    /// Folder of training data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Device whose rows count [default: the only one that the data name].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// What is predicted.
    #[arg(long, value_enum, default_value_t = Judged::Runtime)]
    target: Judged,
    /// The figure that is minimised, on held-out folds.
    #[arg(long, value_enum, default_value_t)]
    metric: Metric,
    /// Layer kinds over which the figure's mean is taken, or `network` for whole networks [default: all with rows enough].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    layer_kinds: Vec<String>,
}

/// What a study is about.
pub(super) struct Subject {
    pub(super) objective: Arc<dyn Objective>,
    pub(super) data_sha256: String,
    /// What is minimised, as a study keeps it.
    pub(super) told: Table,
    data: TrainingData,
    folder: PathBuf,
    device: String,
}

impl SubjectArgs {
    pub(super) fn open(&self, plan: &Plan, printer: &Printer) -> Result<Subject, Failure> {
        let mut data = training::read(&self.data)?;
        for note in &data.notes {
            printer.warn(note);
        }
        if let Some(samples) = plan.samples {
            data.sample(samples).map_err(|e| Failure::usage(e).at(&self.data))?;
        }
        let known: BTreeSet<&str> = data.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect();
        let device = match (&self.device, known.iter().collect::<Vec<_>>().as_slice()) {
            (Some(device), _) => device.clone(),
            (None, []) => "unnamed-device".to_owned(),
            (None, [only]) => (**only).to_owned(),
            (None, _) => {
                let names = known.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(
                    Failure::usage(format!("the data name several devices: {names}")).help("choose one by --device")
                );
            }
        };
        let settings = LayerSettings {
            device: device.clone(),
            metric: self.metric,
            target: self.target,
            kinds: self.layer_kinds.iter().map(|kind| kind.trim().to_owned()).collect(),
        };
        let objective = LayerObjective::new(plan, &data, settings).map_err(|e| Failure::usage(e).at(&self.data))?;
        let told = Table::try_from(objective.settings()).map_err(|e| Failure::data(e.to_string()))?;
        let data_sha256 = data.hash.clone();
        let folder = self.data.clone();
        Ok(Subject { objective: Arc::new(objective), data_sha256, told, data, folder, device })
    }
}

impl Subject {
    /// Fits models with a plan.
    pub(super) fn fit(&self, plan: &Plan, out: &Path, printer: &Printer) -> Result<(), Failure> {
        let devices = [DeviceChoice::same(&self.device)];
        let tests = plan.known_test_networks(&self.data);
        fit_devices(plan, &self.data, &self.folder, &devices, &tests, out, printer).map(|_| ())
    }
}
