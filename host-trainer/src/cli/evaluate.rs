//! `host-trainer evaluate`: models and data in, how far predictions are off out.

use super::table::{figure, render};
use super::{Format, progress};
use crate::evaluate::{Judgement, Line, judge, judge_unseen};
use crate::features::Extraction;
use crate::fit::kinds::Kind;
use crate::fit::plan::Plan;
use crate::fit::train::{Order, train};
use crate::model::default_device;
use crate::predict::Models;
use crate::training::{self, TrainingData};
use clap::Args;
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Judge models on measured data: layer kind by layer kind, and whole networks.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Folder of models. May be repeated: each is judged, side by side.
    #[arg(long, value_name = "DIR", required_unless_present = "leave_one_network_out")]
    models: Vec<PathBuf>,
    /// Folder of data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column; `networks.csv` holds totals.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Device whose models are judged [default: the folder's default device].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Judge a model kind instead of models: each network by models fitted on all the others.
    #[arg(long, conflicts_with = "models")]
    leave_one_network_out: bool,
    /// Model kind to fit for that [default: the configuration's, else lasso].
    #[arg(long, value_enum, requires = "leave_one_network_out")]
    kind: Option<Kind>,
    /// Options of that fit, in TOML.
    #[arg(long, value_name = "FILE", requires = "leave_one_network_out")]
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
    line: &'a Line,
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
        let mut judgements = Vec::new();
        for folder in &self.models {
            let device = match &self.device {
                Some(device) => device.clone(),
                None => default_device(folder)?,
            };
            let in_data = device_in_data(&device, &data, printer);
            let models = Models::open(folder, &device)?;
            let judgement = judge(&models, &data, &in_data, self.by_network).map_err(|failure| match failure.path {
                Some(_) => failure,
                None => failure.at(&self.data),
            })?;
            for note in &judgement.notes {
                printer.warn(note);
            }
            judgements.push((folder.as_path(), judgement));
        }
        write(&judgements, self.format, printer)
    }

    /// Fits with as many folds as networks, and judges what the folds held out.
    fn leave_one_out(&self, data: &TrainingData, printer: &Printer) -> Result<(), Failure> {
        let mut plan = match &self.config {
            Some(path) => Plan::read(path)?,
            None => Plan::default(),
        };
        plan.evaluation.folds = MOST_FOLDS;
        if data.networks().len() > MOST_FOLDS {
            printer.warn(format!("more than {MOST_FOLDS} networks: they are left out in {MOST_FOLDS} groups"));
        }
        if let Some(kind) = self.kind {
            plan.kind = kind;
        }
        let recipe = plan.recipe();
        let none = BTreeSet::new();
        let order = Order {
            data,
            recipe: recipe.as_ref(),
            evaluation: &plan.evaluation,
            test_networks: &none,
            extraction: Extraction::default(),
            negative_predictions: false,
        };
        let known: BTreeSet<&str> = data.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect();
        let devices: Vec<String> = match &self.device {
            Some(device) => vec![device_in_data(device, data, printer)],
            None if known.is_empty() => vec!["unnamed-device".to_owned()],
            None => known.into_iter().map(str::to_owned).collect(),
        };
        let mut judgements = Vec::new();
        for device in &devices {
            let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
            let outcome = train(&order, device, &|_, _| bar.inc(1));
            bar.finish_and_clear();
            let outcome = outcome.map_err(|e| Failure::data(e.to_string()).at(&self.data))?;
            judgements.push((Path::new(device), judge_unseen(data, &outcome, self.by_network)));
        }
        write(&judgements, self.format, printer)
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

fn write(judgements: &[(&Path, Judgement)], format: Format, printer: &Printer) -> Result<(), Failure> {
    let several = judgements.len() > 1;
    let rows: Vec<Row<'_>> = judgements
        .iter()
        .flat_map(|(folder, judgement)| {
            let models = several.then(|| folder.display().to_string());
            judgement.lines.iter().map(move |line| Row { models: models.clone(), line })
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

fn csv_rows(rows: &[Row<'_>]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Failure::data(e.to_string());
    writer
        .write_record([
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
        ])
        .map_err(failed)?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    for Row { models, line } in rows {
        let m = &line.metrics;
        writer
            .write_record([
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
            ])
            .map_err(failed)?;
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
        cells
    };
    render(&header, sorted.iter().map(cells).collect(), numbers_from)
}
