//! `host-trainer fit`: training data in, models with cards out.

mod carry;
mod report;

use super::models::{Registration, register_fitted};
use super::progress;
use super::tabular::{self, TableArgs};
use crate::cli::values::choice;
use crate::output::{Format, known, render};
use carry::CarryArgs;
use clap::Args;
use learn::fit::kinds::Kind;
use learn::fit::options::{PlanOptions, networks_or_none};
use learn::fit::plan::Plan;
use learn::fit::run::{Planned, choose_devices, fit_devices, planned, test_networks};
use learn::fit::train::Outcome;
use learn::training;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// Train one power and one runtime model for each layer kind that has data.
#[derive(Debug, Args)]
pub(super) struct Fit {
    /// Folder of training data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["dbs_dir", "sample_data", "from"])]
    data: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    /// Output folder; models are written below the device's name.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Model kind [default: the configuration's, else lasso].
    #[arg(long, value_parser = choice::<Kind>())]
    kind: Option<Kind>,
    /// Configuration of the fit (TOML).
    #[arg(long, value_name = "FILE", env = "HOST_TRAINER_CONFIG")]
    config: Option<PathBuf>,
    /// Hyper-parameters of the mlp in EdgeProfiler's JSON; sets the model kind to mlp unless --kind is given.
    #[arg(long, value_name = "FILE")]
    hyperparams: Option<PathBuf>,
    /// Epochs of a perceptron [default: the configuration's].
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Rows to use from each table [default: all].
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Networks held out for testing, or `none` [default: lenet,resnet18,vgg16].
    #[arg(long, value_name = "A,B|none", value_delimiter = ',')]
    test_models: Option<Vec<String>>,
    /// Device to fit [default: every device in the data].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Feature columns: `KIND.TARGET=A,B`, or `KIND=A,B` for both targets; for a plain table, `A,B`. May be repeated.
    #[arg(long, value_name = "[KIND[.TARGET]=]A,B")]
    input_cols: Vec<String>,
    /// Fit as EdgeProfiler does, known faults included, for comparison.
    #[arg(long)]
    reference_compatible: bool,
    /// Train on the CPU. Accepted for compatibility: every build trains on the CPU.
    #[arg(long = "cpu")]
    _cpu: bool,
    /// Carry the run-time models of this device over to --device, by the networks that --data holds, few or none.
    #[arg(long, value_name = "DEVICE", requires = "device", conflicts_with_all = ["kind", "hyperparams", "dry_run", "reference_compatible"])]
    from: Option<String>,
    /// Folder of models that holds the device of --from [default: the folder of --out].
    #[arg(long, value_name = "DIR", requires = "from")]
    from_models: Option<PathBuf>,
    #[command(flatten)]
    registration: Registration,
    /// Show which models would be fitted, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Format of the metrics on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Fit {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        if let (Some(from), Some(device)) = (&self.from, &self.device) {
            let args = CarryArgs {
                data: self.data.as_deref(),
                models: self.from_models.as_deref().unwrap_or(&self.out),
                out: &self.out,
                from,
                device,
                level: self.plan()?.evaluation.interval_level,
                registration: &self.registration,
                format: self.format,
            };
            return carry::run(&args, printer);
        }
        let plan = self.plan()?;
        let Some(folder) = &self.data else {
            let tagged = self.table.read(&self.input_cols, &plan, printer)?;
            let cards = tabular::fit(&tagged, &plan, &self.out, printer)?;
            return tabular::print(&cards, self.format, printer);
        };
        let revision = self.registration.revision_of(folder, printer)?;
        let mut data = training::read(folder)?;
        if let Some(samples) = plan.samples {
            data.sample(samples).map_err(|e| Failure::usage(e).at(folder))?;
        }
        data.notes.iter().for_each(|note| printer.warn(note));
        let (devices, note) = choose_devices(&data, self.device.as_deref(), folder)?;
        note.iter().for_each(|note| printer.warn(note));
        let held_back = test_networks(&plan, &data);
        if self.test_models.is_some() && !held_back.missing.is_empty() {
            printer.warn(format!("the data hold no network {} to test on", held_back.missing.join(", ")));
        }
        if held_back.names_all {
            printer.warn("every network is kept back for testing; training on all of them instead of none");
        }
        if self.dry_run {
            return self.show(&planned(&plan, &data, &devices, &held_back.networks), printer);
        }
        let bar = progress::bar(printer, (devices.len() * data.tables.len() * 2) as u64, "models");
        let outcomes = fit_devices(&plan, &data, folder, &devices, &held_back.networks, &self.out, &|table, target| {
            bar.set_message(format!("{} {}", table.name(), target.name()));
            bar.inc(1);
        });
        bar.finish_and_clear();
        let outcomes = outcomes?;
        say_written(&outcomes, &self.out, printer);
        report::print(&outcomes, self.format, printer)?;
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.device.name.as_str()).collect();
        register_fitted(&self.registration, revision, &self.out, &names, printer)
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let test_networks = self.test_models.as_deref().map(networks_or_none);
        PlanOptions {
            config: self.config.as_deref(),
            kind: self.kind,
            hyperparams: self.hyperparams.as_deref(),
            test_networks: test_networks.as_deref(),
            edge_profiler_compatible: self.reference_compatible,
            // A table's columns are its own.
            input_cols: if self.data.is_some() { &self.input_cols } else { &[] },
            plain_table: self.data.is_none(),
            epochs: self.epochs,
            samples: self.samples,
        }
        .plan()
    }

    fn show(&self, planned: &[Planned], printer: &Printer) -> Result<(), Failure> {
        let row = |model: &Planned| {
            vec![
                model.device.clone(),
                model.table.name().to_owned(),
                model.target.name().to_owned(),
                model.training_rows.to_string(),
                model.test_rows.to_string(),
                known(model.degree, |degree| degree.to_string()),
                model.columns.join(","),
            ]
        };
        let header = ["device", "kind", "target", "training rows", "test rows", "degree", "columns"];
        printer.data(&render(&header, planned.iter().map(row).collect(), 3))?;
        printer.say(format!("nothing was fitted; models would go to {}", self.out.display()));
        Ok(())
    }
}

/// Says where the models of each device are.
pub(super) fn say_written(outcomes: &[Outcome], out: &Path, printer: &Printer) {
    for outcome in outcomes {
        let (count, device) = (outcome.artefacts.len(), &outcome.device.name);
        printer.say(format!("{count} models for {device} in {}", out.join(device).display()));
    }
}
