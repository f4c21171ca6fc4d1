//! `host-trainer evaluate`: models and data in, how far predictions are off out.

mod effects;
mod evaluations;

use super::progress;
use crate::cli::values::choice;
use crate::output::Format;
use clap::Args;
use learn::evaluate::{
    Baselines, CurvePlan, MOST_LEFT_OUT, Refit, Shuffles, devices_to_evaluate, evaluate, fits, importance_of_kind,
    importance_of_models, learning_curve, leave_one_column_out, leave_one_network_out,
};
use learn::fit::kinds::Kind;
use learn::fit::options::PlanOptions;
use learn::fit::plan::{EvaluationSettings, Plan};
use learn::model::default_device;
use learn::predict::Models;
use learn::training::{self, TrainingData};
use shared::failure::{Failure, Kind as FailureKind};
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// Evaluate models on measured data, by layer kind and for whole networks.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Folder of models. May be repeated to compare several side by side.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["leave_one_network_out", "leave_one_column_out", "learning_curve", "kind"])]
    models: Vec<PathBuf>,
    /// Folder of data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column; `networks.csv` holds totals.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Device whose models are evaluated [default: the folder's default device].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Evaluate a model kind instead of models: predict each network with models fitted on all the others.
    #[arg(long, conflicts_with = "models", group = "analysis")]
    leave_one_network_out: bool,
    /// Permutation importance of each feature, of models or of a model kind: the rise of the error when the feature is
    /// shuffled among held-out rows.
    #[arg(long, group = "analysis")]
    importance: bool,
    /// Importance of each column to a model kind: the rise of the held-out error when models are fitted without it.
    #[arg(long, conflicts_with = "models", group = "analysis")]
    leave_one_column_out: bool,
    /// Learning curve of a model kind: the held-out error over the number of networks fitted on.
    #[arg(long, conflicts_with = "models", group = "analysis")]
    learning_curve: bool,
    /// Repetitions of the shuffles, or of the learning curve.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Seed for shuffling and for the choice of held-out networks.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Model kind to fit [default: the configuration's, else lasso].
    #[arg(long, value_parser = choice::<Kind>(), requires = "analysis", conflicts_with = "models")]
    kind: Option<Kind>,
    /// Configuration of the fit (TOML).
    #[arg(long, value_name = "FILE", requires = "analysis", conflicts_with = "models")]
    config: Option<PathBuf>,
    /// Also evaluate each network separately.
    #[arg(long)]
    by_network: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Evaluate {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let data = training::read(&self.data)?;
        data.notes.iter().for_each(|note| printer.warn(note));
        if self.leave_one_network_out {
            return self.leave_one_out(&data, printer);
        }
        if self.models.is_empty() {
            return self.examine_kind(&data, printer);
        }
        if self.importance {
            return self.importance_of_models(&data, printer);
        }
        let mut evaluations = Vec::new();
        for folder in &self.models {
            let (models, in_data) = self.open(folder, &data, printer)?;
            let baselines = Baselines::of(&data, &in_data, EvaluationSettings::default().folds);
            let evaluation = evaluate(&models, &data, &in_data, self.by_network, &baselines);
            let evaluation = evaluation.map_err(|failure| failure.default_path(&self.data))?;
            evaluation.notes.iter().for_each(|note| printer.warn(note));
            evaluations.push((folder.display().to_string(), evaluation));
        }
        evaluations::print(&evaluations, self.format, printer)
    }

    /// The models of a folder, and the device's name in the data.
    fn open(&self, folder: &Path, data: &TrainingData, printer: &Printer) -> Result<(Models, String), Failure> {
        let device = match &self.device {
            Some(device) => device.clone(),
            None => default_device(folder)?,
        };
        let in_data = data.name_of(&device).to_owned();
        warn_of_other_device(&device, &in_data, printer);
        Ok((Models::open(folder, &device)?, in_data))
    }

    /// Devices to fit, by their names in the data.
    fn devices(&self, data: &TrainingData, printer: &Printer) -> Vec<String> {
        let devices = devices_to_evaluate(data, self.device.as_deref());
        if let (Some(wanted), Some(in_data)) = (&self.device, devices.first()) {
            warn_of_other_device(wanted, in_data, printer);
        }
        devices
    }

    fn plan(&self) -> Result<Plan, Failure> {
        PlanOptions { config: self.config.as_deref(), kind: self.kind, ..PlanOptions::default() }.plan()
    }

    fn leave_one_out(&self, data: &TrainingData, printer: &Printer) -> Result<(), Failure> {
        let plan = self.plan()?;
        if data.networks().len() > MOST_LEFT_OUT {
            printer.warn(format!("more than {MOST_LEFT_OUT} networks: they are left out in {MOST_LEFT_OUT} groups"));
        }
        let mut evaluations = Vec::new();
        for device in self.devices(data, printer) {
            let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
            let evaluated = leave_one_network_out(&plan, data, &device, self.by_network, &|_, _| bar.inc(1));
            bar.finish_and_clear();
            let evaluated = evaluated.map_err(|e| Failure::from_error(FailureKind::Data, e).at(&self.data))?;
            evaluations.push((device, evaluated));
        }
        evaluations::print(&evaluations, self.format, printer)
    }

    fn shuffles(&self) -> Shuffles {
        Shuffles { repeats: self.repeats as usize, seed: self.seed }
    }

    fn importance_of_models(&self, data: &TrainingData, printer: &Printer) -> Result<(), Failure> {
        let mut answers = Vec::new();
        for folder in &self.models {
            let (models, in_data) = self.open(folder, data, printer)?;
            let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
            let found = importance_of_models(&models, data, &in_data, self.shuffles(), &|| bar.inc(1));
            bar.finish_and_clear();
            let found = found.map_err(|failure| failure.default_path(&self.data))?;
            answers.push((folder.display().to_string(), found));
        }
        effects::print_effects(&answers, self.format, printer)
    }

    /// Columns and learning curves of a model kind, device by device.
    fn examine_kind(&self, data: &TrainingData, printer: &Printer) -> Result<(), Failure> {
        let plan = self.plan()?;
        let estimator = plan.estimator();
        let (mut effects, mut curves) = (Vec::new(), Vec::new());
        for device in self.devices(data, printer) {
            let refit = Refit {
                data,
                device: &device,
                estimator: estimator.as_ref(),
                folds: plan.evaluation.folds,
                negative_predictions: plan.reference_faults.negative_predictions,
            };
            let curve = CurvePlan { repeats: self.repeats as usize, seed: self.seed };
            let steps = if self.learning_curve { fits(data, curve) } else { data.tables.len() * 2 };
            let bar = progress::bar(printer, steps as u64, if self.learning_curve { "fits" } else { "models" });
            let done = || bar.inc(1);
            let of_data = |failure: Failure| failure.default_path(&self.data);
            if self.learning_curve {
                curves.push((device.clone(), learning_curve(&refit, curve, &done).map_err(of_data)?));
            } else {
                let found = match self.importance {
                    true => importance_of_kind(&refit, self.shuffles(), &done),
                    false => leave_one_column_out(&refit, &done),
                };
                effects.push((device.clone(), found.map_err(of_data)?));
            }
            bar.finish_and_clear();
        }
        if self.learning_curve {
            effects::print_curves(&curves, self.format, printer)
        } else {
            effects::print_effects(&effects, self.format, printer)
        }
    }
}

fn warn_of_other_device(device: &str, in_data: &str, printer: &Printer) {
    if in_data != device {
        printer.warn(format!("the data were measured on {in_data}, the models are for {device}"));
    }
}
