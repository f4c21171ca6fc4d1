//! What a study is about: data, and the error that counts.

use crate::cli::fit::{DeviceChoice, fit_devices};
use crate::cli::tabular::{self, TableArgs, Tagged};
use crate::cli::values::choice;
use clap::Args;
use learn::evaluate::Measurand;
use learn::fit::plan::Plan;
use learn::training::{self, TrainingData};
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Table;
use tune::objective::{LayerObjective, LayerSettings, Metric, TableObjective};
use tune::worker::Objective;

/// Data, and the error that counts.
#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
    /// Folder of training data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column.
    #[arg(long, value_name = "DIR", required_unless_present = "dbs_dir")]
    data: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    /// Columns of the table that models read.
    #[arg(long, value_name = "A,B", requires = "dbs_dir")]
    input_cols: Vec<String>,
    /// Device whose rows count [default: the only one that the data name].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// What is predicted.
    #[arg(long, value_parser = choice::<Measurand>(), default_value = Measurand::Runtime.name())]
    target: Measurand,
    /// The figure that is minimised, on held-out folds.
    #[arg(long, value_parser = choice::<Metric>(), default_value = Metric::default().name())]
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
    rows: Rows,
}

/// What a study's models learn from.
enum Rows {
    Layers { data: TrainingData, folder: PathBuf, device: String },
    Table(Tagged),
}

impl SubjectArgs {
    pub(super) fn open(&self, plan: &Plan, printer: &Printer) -> Result<Subject, Failure> {
        match &self.data {
            Some(folder) => self.layers(folder, plan, printer),
            None => self.table(plan, printer),
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.data.is_none()
    }

    /// One tag's rows: each has a study of its own.
    fn table(&self, plan: &Plan, printer: &Printer) -> Result<Subject, Failure> {
        let mut tagged = self.table.read(&self.input_cols, plan, printer)?;
        let (Some(one), true) = (tagged.pop(), tagged.is_empty()) else {
            return Err(Failure::usage("a study is about one tag").help("name it by --func-tag"));
        };
        let objective = TableObjective { data: one.data.clone(), plan: plan.clone(), metric: self.metric };
        let told = toml::toml! { of = "table" };
        let told = [("tag", one.data.tag.clone()), ("metric", self.metric.name().to_owned())]
            .into_iter()
            .chain([("inputs", one.data.inputs.join(",")), ("outputs", one.data.outputs.join(","))])
            .fold(told, |mut told, (key, value)| {
                told.insert(key.to_owned(), value.into());
                told
            });
        let data_sha256 = one.data.hash.clone();
        Ok(Subject { objective: Arc::new(objective), data_sha256, told, rows: Rows::Table(one) })
    }

    fn layers(&self, folder: &Path, plan: &Plan, printer: &Printer) -> Result<Subject, Failure> {
        let mut data = training::read(folder)?;
        for note in &data.notes {
            printer.warn(note);
        }
        if let Some(samples) = plan.samples {
            data.sample(samples).map_err(|e| Failure::usage(e).at(folder))?;
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
        let objective = LayerObjective::new(plan, &data, settings).map_err(|e| Failure::usage(e).at(folder))?;
        let told = Table::try_from(objective.settings()).map_err(|e| Failure::data(e.to_string()))?;
        let data_sha256 = data.hash.clone();
        let rows = Rows::Layers { data, folder: folder.to_owned(), device };
        Ok(Subject { objective: Arc::new(objective), data_sha256, told, rows })
    }
}

impl Subject {
    /// Fits models with a plan.
    pub(super) fn fit(&self, plan: &Plan, out: &Path, printer: &Printer) -> Result<(), Failure> {
        match &self.rows {
            Rows::Table(tagged) => tabular::fit(std::slice::from_ref(tagged), plan, out, printer).map(|_| ()),
            Rows::Layers { data, folder, device } => {
                let devices = [DeviceChoice::same(device)];
                let tests = plan.known_test_networks(data);
                fit_devices(plan, data, folder, &devices, &tests, out, printer).map(|_| ())
            }
        }
    }
}
