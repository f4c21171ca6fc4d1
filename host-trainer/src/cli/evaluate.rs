//! `host-trainer evaluate`: models and data in, how far predictions are off out.

use super::table::{figure, render};
use super::{Format, examine, progress};
use crate::cli::values::choice;
use clap::Args;
use learn::evaluate::fits as curve_fits;
use learn::evaluate::{
    Baselines, CurvePlan, Evaluation, EvaluationRow, Refit, Shuffles, evaluate, evaluate_held_out, importance_of_kind,
    importance_of_models, learning_curve, leave_one_column_out,
};
use learn::features::Extraction;
use learn::fit::kinds::Kind;
use learn::fit::plan::{EvaluationSettings, Plan};
use learn::fit::train::{FitJob, train};
use learn::model::default_device;
use learn::predict::Models;
use learn::training::{self, TrainingData};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Judge models on measured data: layer kind by layer kind, and whole networks.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Folder of models. May be repeated: each is judged, side by side.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["leave_one_network_out", "leave_one_column_out", "learning_curve", "kind"])]
    models: Vec<PathBuf>,
    /// Folder of data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column; `networks.csv` holds totals.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Device whose models are judged [default: the folder's default device].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Judge a model kind instead of models: each network by models fitted on all the others.
    #[arg(long, conflicts_with = "models", group = "analysis")]
    leave_one_network_out: bool,
    /// What each feature is worth: the rise of the error when it is shuffled among held-out rows, of models or of a kind.
    #[arg(long, group = "analysis")]
    importance: bool,
    /// What each column is worth to a model kind: the rise of the held-out error when models are fitted without it.
    #[arg(long, conflicts_with = "models", group = "analysis")]
    leave_one_column_out: bool,
    /// What more data bring to a model kind: the held-out error over the number of networks fitted on.
    #[arg(long, conflicts_with = "models", group = "analysis")]
    learning_curve: bool,
    /// How often features are shuffled, or learning curves drawn.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Seed of what is shuffled and who is kept back.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Model kind to fit for that [default: the configuration's, else lasso].
    #[arg(long, value_parser = choice::<Kind>(), requires = "analysis", conflicts_with = "models")]
    kind: Option<Kind>,
    /// Options of that fit, in TOML.
    #[arg(long, value_name = "FILE", requires = "analysis", conflicts_with = "models")]
    config: Option<PathBuf>,
    /// Judge each network by itself, too.
    #[arg(long)]
    by_network: bool,
    /// How the answer is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A line with the folder it judges, or the device left out of, where there are several.
#[derive(Debug, Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<String>,
    #[serde(flatten)]
    line: &'a EvaluationRow,
}

impl Evaluate {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let data = training::read(&self.data)?;
        for note in &data.notes {
            printer.warn(note);
        }
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
            let device = match &self.device {
                Some(device) => device.clone(),
                None => default_device(folder)?,
            };
            let in_data = device_in_data(&device, &data, printer);
            let models = Models::open(folder, &device)?;
            let baselines = Baselines::of(&data, &in_data, EvaluationSettings::default().folds);
            let evaluated = evaluate(&models, &data, &in_data, self.by_network, &baselines);
            let evaluation = evaluated.map_err(|failure| match failure.path {
                Some(_) => failure,
                None => failure.at(&self.data),
            })?;
            for note in &evaluation.notes {
                printer.warn(note);
            }
            evaluations.push((folder.as_path(), evaluation));
        }
        write(&evaluations, self.format, printer)
    }

    /// Fits with as many folds as networks, and judges what the folds held out.
    fn leave_one_out(&self, data: &TrainingData, printer: &Printer) -> Result<(), Failure> {
        let mut plan = self.plan()?;
        plan.evaluation.folds = MOST_FOLDS;
        if data.networks().len() > MOST_FOLDS {
            printer.warn(format!("more than {MOST_FOLDS} networks: they are left out in {MOST_FOLDS} groups"));
        }
        let estimator = plan.estimator();
        let none = BTreeSet::new();
        let job = FitJob {
            data,
            estimator: estimator.as_ref(),
            evaluation: &plan.evaluation,
            test_networks: &none,
            extraction: Extraction::default(),
            negative_predictions: false,
            baselines: &[],
        };
        let devices = self.devices(data, printer);
        let mut evaluations = Vec::new();
        for device in &devices {
            let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
            let outcome = train(&job, device, &|_, _| bar.inc(1));
            bar.finish_and_clear();
            let outcome = outcome.map_err(|e| Failure::data(e.to_string()).at(&self.data))?;
            let baselines = Baselines::of(data, device, plan.evaluation.folds);
            evaluations.push((Path::new(device), evaluate_held_out(data, &outcome, self.by_network, &baselines)));
        }
        write(&evaluations, self.format, printer)
    }
}

impl Evaluate {
    /// The plan: file, then flags over it.
    fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.config {
            Some(path) => Plan::read(path)?,
            None => Plan::default(),
        };
        if let Some(kind) = self.kind {
            plan.kind = kind;
        }
        Ok(plan)
    }

    /// Devices to fit, by their names in the data: the one named, else all.
    fn devices(&self, data: &TrainingData, printer: &Printer) -> Vec<String> {
        let known: BTreeSet<&str> = data.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect();
        match &self.device {
            Some(device) => vec![device_in_data(device, data, printer)],
            None if known.is_empty() => vec!["unnamed-device".to_owned()],
            None => known.into_iter().map(str::to_owned).collect(),
        }
    }

    fn shuffles(&self) -> Shuffles {
        Shuffles { repeats: self.repeats as usize, seed: self.seed }
    }

    fn importance_of_models(&self, data: &TrainingData, printer: &Printer) -> Result<(), Failure> {
        let mut answers = Vec::new();
        for folder in &self.models {
            let device = match &self.device {
                Some(device) => device.clone(),
                None => default_device(folder)?,
            };
            let in_data = device_in_data(&device, data, printer);
            let models = Models::open(folder, &device)?;
            let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
            let found = importance_of_models(&models, data, &in_data, self.shuffles(), &|| bar.inc(1));
            bar.finish_and_clear();
            answers.push((folder.display().to_string(), found.map_err(|failure| self.of_data(failure))?));
        }
        examine::effects(&answers, self.format, printer)
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
            let steps = if self.learning_curve { curve_fits(data, curve) } else { data.tables.len() * 2 };
            let bar = progress::bar(printer, steps as u64, if self.learning_curve { "fits" } else { "models" });
            let done = || bar.inc(1);
            if self.learning_curve {
                let curve = learning_curve(&refit, curve, &done).map_err(|failure| self.of_data(failure))?;
                curves.push((device.clone(), curve));
            } else {
                let found = match self.importance {
                    true => importance_of_kind(&refit, self.shuffles(), &done),
                    false => leave_one_column_out(&refit, &done),
                };
                effects.push((device.clone(), found.map_err(|failure| self.of_data(failure))?));
            }
            bar.finish_and_clear();
        }
        if self.learning_curve {
            examine::curves(&curves, self.format, printer)
        } else {
            examine::effects(&effects, self.format, printer)
        }
    }

    /// Names the data folder where a failure names no file.
    fn of_data(&self, failure: Failure) -> Failure {
        if failure.path.is_some() { failure } else { failure.at(&self.data) }
    }
}

/// Networks that are left out one by one, at most.
const MOST_FOLDS: usize = 100;

/// The device's name in the data: the same, or the only one they name.
fn device_in_data(device: &str, data: &TrainingData, printer: &Printer) -> String {
    let name = data.name_of(device);
    if name != device {
        printer.warn(format!("the data were measured on {name}, the models are for {device}"));
    }
    name.to_owned()
}

fn write(evaluations: &[(&Path, Evaluation)], format: Format, printer: &Printer) -> Result<(), Failure> {
    let several = evaluations.len() > 1;
    let rows: Vec<Row<'_>> = evaluations
        .iter()
        .flat_map(|(folder, evaluation)| {
            let models = several.then(|| folder.display().to_string());
            evaluation.rows.iter().map(move |line| Row { models: models.clone(), line })
        })
        .collect();
    match format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&rows).map_err(|e| Failure::data(e.to_string()))?;
            printer.data(&format!("{json}\n"))
        }
        Format::Csv => printer.data(&csv_rows(&rows)?),
        Format::Human => printer.data(&human(&rows)),
    }
}

/// The error of a baseline kind on a row's measurements.
fn baseline_error(row: &EvaluationRow, kind: Kind) -> Option<f64> {
    row.baselines.get(kind.name())?.mape_percent
}

fn csv_rows(rows: &[Row<'_>]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Failure::data(e.to_string());
    let mut header = vec![
        "models",
        "kind",
        "target",
        "network",
        "n",
        "mape_percent",
        "rmspe_percent",
        "within_10_percent",
        "r2",
        "non_positive",
        "interval_90_coverage_percent",
        "without_model",
    ];
    let baselines: Vec<String> = Kind::baselines().map(|kind| format!("{}_mape_percent", kind.name())).collect();
    header.extend(baselines.iter().map(String::as_str));
    writer.write_record(header).map_err(failed)?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    for Row { models, line } in rows {
        let m = &line.metrics;
        let mut record = vec![
            models.clone().unwrap_or_default(),
            line.kind.to_owned(),
            line.target.name().to_owned(),
            line.network.clone().unwrap_or_default(),
            m.n.to_string(),
            number(m.mape_percent),
            number(m.rmspe_percent),
            number(m.within_10_percent),
            number(m.r2),
            m.non_positive.to_string(),
            number(line.interval_90_coverage_percent),
            line.without_model.to_string(),
        ];
        record.extend(Kind::baselines().map(|kind| number(baseline_error(line, kind))));
        writer.write_record(record).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|e| Failure::data(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| Failure::data(e.to_string()))
}

fn human(rows: &[Row<'_>]) -> String {
    let several = rows.iter().any(|row| row.models.is_some());
    let by_network = rows.iter().any(|row| row.line.network.is_some());
    let mut header = vec!["kind", "target"];
    header.extend(several.then_some("models"));
    header.extend(by_network.then_some("network"));
    let numbers_from = header.len();
    header.extend(["n", "MAPE %", "RMSPE %", "within 10 %", "R²", "non-positive", "in 90 % interval", "no model"]);
    let baselines: Vec<String> = Kind::baselines().map(|kind| format!("{} MAPE %", kind.name())).collect();
    header.extend(baselines.iter().map(String::as_str));
    let mut sorted: Vec<&Row<'_>> = rows.iter().collect();
    if several {
        // Side by side: the same line of every folder next to each other.
        let first = |row: &Row<'_>| {
            let same = |other: &&Row<'_>| {
                let key = |r: &Row<'_>| (r.line.kind, r.line.target, r.line.network.clone());
                key(other) == key(row)
            };
            rows.iter().position(|other| same(&other)).unwrap_or(usize::MAX)
        };
        sorted.sort_by_key(|row| first(row));
    }
    let cells = |row: &&Row<'_>| {
        let (line, m) = (row.line, &row.line.metrics);
        let mut cells = vec![line.kind.to_owned(), line.target.name().to_owned()];
        cells.extend(several.then(|| row.models.clone().unwrap_or_default()));
        cells.extend(by_network.then(|| line.network.clone().unwrap_or_else(|| "all".to_owned())));
        cells.extend([
            m.n.to_string(),
            figure(m.mape_percent, 2),
            figure(m.rmspe_percent, 2),
            figure(m.within_10_percent, 1),
            figure(m.r2, 4),
            m.non_positive.to_string(),
            figure(line.interval_90_coverage_percent, 1),
            line.without_model.to_string(),
        ]);
        cells.extend(Kind::baselines().map(|kind| figure(baseline_error(line, kind), 1)));
        cells
    };
    render(&header, sorted.iter().map(cells).collect(), numbers_from)
}
