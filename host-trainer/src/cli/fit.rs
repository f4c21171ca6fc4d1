//! `host-trainer fit`: training data in, models with cards out.

use super::models::{Registration, register_fitted};
use super::table::{figure, render};
use super::tabular::{self, TableArgs};
use super::{Format, progress};
use crate::cli::values::choice;
use clap::Args;
use estimators::FitError;
use estimators::metrics::Metrics;
use estimators::mlp::read_hyperparams;
use learn::features::Extraction;
use learn::fit::kinds::{Kind, LassoOptions, check_columns};
use learn::fit::plan::{Plan, ReferenceFaults};
use learn::fit::train::{FitJob, Outcome, train};
use learn::model::{Target, check_device_name, set_default_device};
use learn::training::{self, TrainingData};
use serde::Serialize;
use shared::engine::Table;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Train one power and one runtime model for each layer kind that has data.
#[derive(Debug, Args)]
pub(super) struct Fit {
    /// Folder of training data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column.
    #[arg(long, value_name = "DIR", required_unless_present = "dbs_dir")]
    data: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    /// Folder that receives the models, below the device's name.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Model kind [default: the configuration's, else lasso].
    #[arg(long, value_parser = choice::<Kind>())]
    kind: Option<Kind>,
    /// Options of the fit, in TOML.
    #[arg(long, value_name = "FILE", env = "HOST_TRAINER_CONFIG")]
    config: Option<PathBuf>,
    /// Hyper-parameters of the mlp in the reference's JSON; the model kind is mlp unless told otherwise.
    #[arg(long, value_name = "FILE")]
    hyperparams: Option<PathBuf>,
    /// Networks kept back for testing, or `none` [default: lenet,resnet18,vgg16].
    #[arg(long, value_name = "A,B|none", value_delimiter = ',')]
    test_models: Option<Vec<String>>,
    /// Device to fit [default: every device that the data name].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Columns that models read: `KIND.TARGET=A,B`, or `KIND=A,B` for both targets; of a table, `A,B`. May be repeated.
    #[arg(long, value_name = "[KIND[.TARGET]=]A,B")]
    input_cols: Vec<String>,
    /// Fit as the reference does, its faults included, for comparison.
    #[arg(long)]
    reference_compatible: bool,
    /// Train on the processor; every build does, so this changes nothing.
    #[arg(long = "cpu")]
    _cpu: bool,
    #[command(flatten)]
    registration: Registration,
    /// Show what would be fitted, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// How the metrics are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One line of the metrics.
#[derive(Debug, Serialize)]
struct Line {
    device: String,
    kind: &'static str,
    target: &'static str,
    /// `training`, `cross-validation by network`, `test`, or `test: <network>`.
    set: String,
    #[serde(flatten)]
    metrics: Metrics,
}

impl Fit {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
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
        for note in &data.notes {
            printer.warn(note);
        }
        let devices = self.devices(&data, printer)?;
        let test_networks = test_networks(&plan, &data, self.test_models.is_some(), printer);
        if self.dry_run {
            return self.show_plan(&plan, &data, &devices, &test_networks, printer);
        }
        let outcomes = fit_devices(&plan, &data, folder, &devices, &test_networks, &self.out, printer)?;
        self.report(&outcomes, printer)?;
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.device.name.as_str()).collect();
        register_fitted(&self.registration, revision, &self.out, &names, printer)
    }

    /// The plan: file, then flags over it.
    fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.config {
            Some(path) => Plan::read(path)?,
            None => Plan::default(),
        };
        if self.reference_compatible {
            plan.reference_faults = ReferenceFaults::ALL;
            // The reference judges by its test networks alone.
            plan.evaluation.folds = 0;
        }
        if let Some(path) = &self.hyperparams {
            plan.set_options(read_hyperparams(path, &plan.options())?);
            plan.kind = Kind::MLP;
        }
        if let Some(kind) = self.kind {
            plan.kind = kind;
        }
        if self.hyperparams.is_some() && ![Kind::MLP, Kind::AUTO].contains(&plan.kind) {
            return Err(Failure::usage(format!("--hyperparams are the mlp's, and the kind is {}", plan.kind.name()))
                .help("leave out --kind, or take mlp"));
        }
        if let Some(names) = &self.test_models {
            plan.test_models = names_or_none(names);
        }
        // A table's columns are its own, and it knows no kind of layer.
        if self.data.is_none() && self.kind.is_none() && self.config.is_none() {
            plan.kind = Kind::MLP;
        }
        for choice in self.input_cols.iter().filter(|_| self.data.is_some()) {
            choose_columns(&mut plan, choice)?;
        }
        Ok(plan)
    }

    /// The devices to fit: the one named, else all that the data name.
    fn devices(&self, data: &TrainingData, printer: &Printer) -> Result<Vec<DeviceChoice>, Failure> {
        let known: BTreeSet<&str> = data.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect();
        if let Some(name) = &self.device {
            check_device_name(name)?;
        }
        match (&self.device, known.iter().copied().collect::<Vec<_>>().as_slice()) {
            (Some(name), []) => Ok(vec![DeviceChoice::same(name)]),
            (Some(name), names) if names.contains(&name.as_str()) => Ok(vec![DeviceChoice::same(name)]),
            (Some(name), [only]) => {
                printer.warn(format!("the data were measured on {only}; the models are named for {name} as asked"));
                Ok(vec![DeviceChoice { in_data: (*only).to_owned(), name: name.clone() }])
            }
            (Some(name), names) => Err(Failure::usage(format!("no row was measured on {name}"))
                .at(self.data.as_deref().unwrap_or(Path::new(".")))
                .help(format!("the data name {}", names.join(", ")))),
            (None, []) => Ok(vec![DeviceChoice::same("unnamed-device")]),
            (None, names) => {
                names.iter().map(|name| check_device_name(name).map(|()| DeviceChoice::same(name))).collect()
            }
        }
    }

    fn show_plan(
        &self,
        plan: &Plan,
        data: &TrainingData,
        devices: &[DeviceChoice],
        test_networks: &BTreeSet<String>,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let mut rows = Vec::new();
        for device in devices {
            for (table, all) in &data.tables {
                let of_device = all.iter().filter(|r| r.device.as_deref().is_none_or(|d| d == device.in_data));
                let (test, train): (Vec<_>, Vec<_>) = of_device.partition(|r| test_networks.contains(&r.network));
                for target in Target::ALL {
                    let settings = plan.options::<LassoOptions>().settings(*table, target, plan.reference_faults);
                    rows.push(vec![
                        device.name.clone(),
                        table.name().to_owned(),
                        target.name().to_owned(),
                        train.len().to_string(),
                        test.len().to_string(),
                        settings.degree.to_string(),
                        settings.input_cols.join(","),
                    ]);
                }
            }
        }
        let header = ["device", "kind", "target", "training rows", "test rows", "degree", "columns"];
        printer.data(&render(&header, rows, 3))?;
        printer.say(format!("nothing was fitted; models would go to {}", self.out.display()));
        Ok(())
    }

    fn report(&self, outcomes: &[Outcome], printer: &Printer) -> Result<(), Failure> {
        for outcome in outcomes {
            for skipped in &outcome.skipped {
                printer.warn(format!(
                    "no {} {} model for {}: {}",
                    skipped.table.name(),
                    skipped.target.name(),
                    outcome.device.name,
                    skipped.reason
                ));
            }
        }
        let lines: Vec<Line> = outcomes.iter().flat_map(lines).collect();
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(&lines).map_err(|e| Failure::data(e.to_string()))?;
                printer.data(&format!("{json}\n"))
            }
            Format::Csv => printer.data(&csv_lines(&lines)?),
            Format::Human => {
                printer.data(&human_lines(&lines))?;
                for outcome in outcomes {
                    printer.data(&human_totals(outcome))?;
                    let mut notes: BTreeSet<&String> = outcome.artefacts.iter().flat_map(|a| &a.card.notes).collect();
                    notes.extend(&outcome.device.notes);
                    for note in notes {
                        printer.say(format!("note: {note}"));
                    }
                }
                Ok(())
            }
        }
    }
}

/// Fits the models of some devices, and writes them into a folder.
pub(super) fn fit_devices(
    plan: &Plan,
    data: &TrainingData,
    folder: &Path,
    devices: &[DeviceChoice],
    test_networks: &BTreeSet<String>,
    out: &Path,
    printer: &Printer,
) -> Result<Vec<Outcome>, Failure> {
    let estimator = plan.estimator();
    let job = FitJob {
        data,
        estimator: estimator.as_ref(),
        evaluation: &plan.evaluation,
        test_networks,
        extraction: Extraction { reference_compatible: plan.reference_faults.ignore_pool_window },
        negative_predictions: plan.reference_faults.negative_predictions,
        baselines: &Kind::baselines().collect::<Vec<_>>(),
    };
    let mut outcomes = Vec::new();
    for device in devices {
        let bar = progress::bar(printer, data.tables.len() as u64 * 2, "models");
        let outcome = train(&job, &device.in_data, &|table, target| {
            bar.set_message(format!("{} {}", table.name(), target.name()));
            bar.inc(1);
        });
        bar.finish_and_clear();
        let mut outcome = outcome.map_err(|e| fit_failure(folder, &e))?;
        device.rename(&mut outcome);
        outcomes.push(outcome);
    }
    for outcome in &outcomes {
        learn::model::replace_device(out, &outcome.device, &outcome.artefacts)?;
        set_default_device(out, &outcome.device.name)?;
        printer.say(format!(
            "{} models for {} in {}",
            outcome.artefacts.len(),
            outcome.device.name,
            out.join(&outcome.device.name).display()
        ));
    }
    Ok(outcomes)
}

/// Names of networks, where the single word `none` stands for no name.
pub(super) fn names_or_none(names: &[String]) -> Vec<String> {
    match names {
        [none] if none == "none" => Vec::new(),
        names => names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    }
}

/// A device by its name in the data and the name its models get.
#[derive(Debug)]
pub(super) struct DeviceChoice {
    in_data: String,
    name: String,
}

impl DeviceChoice {
    pub(super) fn same(name: &str) -> Self {
        Self { in_data: name.to_owned(), name: name.to_owned() }
    }

    fn rename(&self, outcome: &mut Outcome) {
        outcome.device.name.clone_from(&self.name);
        for artefact in &mut outcome.artefacts {
            artefact.card.device.clone_from(&self.name);
        }
    }
}

fn test_networks(plan: &Plan, data: &TrainingData, asked: bool, printer: &Printer) -> BTreeSet<String> {
    let known = data.networks();
    let (found, missing): (Vec<&String>, Vec<&String>) =
        plan.test_models.iter().partition(|name| known.contains(name.as_str()));
    if asked && !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        printer.warn(format!("the data hold no network {} to test on", missing.join(", ")));
    }
    if found.len() == known.len() {
        printer.warn("every network is kept back for testing; training on all of them instead of none");
        return BTreeSet::new();
    }
    found.into_iter().cloned().collect()
}

fn choose_columns(plan: &mut Plan, choice: &str) -> Result<(), Failure> {
    let wrong = |message: String| Failure::usage(format!("--input-cols {choice}: {message}"));
    let (model, names) = choice.split_once('=').ok_or_else(|| wrong("expected KIND[.TARGET]=COLUMN,COLUMN".into()))?;
    let (table, target) = model.split_once('.').map_or((model, None), |(t, target)| (t, Some(target)));
    let known = || Table::ALL.map(Table::name).join(", ");
    let table =
        Table::from_name(table).ok_or_else(|| wrong(format!("no layer kind `{table}`; known are {}", known())))?;
    let targets: Vec<Target> = match target {
        None => Target::ALL.to_vec(),
        Some(name) => vec![
            Target::ALL
                .into_iter()
                .find(|target| target.name() == name)
                .ok_or_else(|| wrong(format!("no target `{name}`; known are power, runtime")))?,
        ],
    };
    let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
    check_columns(table, &names).map_err(wrong)?;
    for target in targets {
        plan.change_options(|lasso: &mut LassoOptions| {
            lasso.models.entry(table).or_default().entry(target).or_default().input_cols = Some(names.clone());
        });
    }
    Ok(())
}

fn fit_failure(data: &Path, error: &FitError) -> Failure {
    let failure = Failure::data(error.to_string()).at(data);
    match error {
        FitError::TooFewRows { .. } => failure.help("measure more networks, or keep fewer back by --test-models"),
        _ => failure,
    }
}

fn lines(outcome: &Outcome) -> Vec<Line> {
    let mut lines = Vec::new();
    for artefact in &outcome.artefacts {
        let card = &artefact.card;
        let mut line = |set: String, metrics: Metrics| {
            lines.push(Line {
                device: outcome.device.name.clone(),
                kind: card.layer_kind.name(),
                target: card.target.name(),
                set,
                metrics,
            });
        };
        line("training".to_owned(), card.scores.training);
        if let Some(metrics) = card.scores.cross_validation {
            line(format!("cross-validation {}", card.scores.folds.as_deref().unwrap_or_default()), metrics);
        }
        if let Some(metrics) = card.scores.test {
            line("test".to_owned(), metrics);
        }
        for (network, metrics) in &card.scores.test_by_network {
            line(format!("test: {network}"), *metrics);
        }
    }
    lines
}

fn csv_lines(lines: &[Line]) -> Result<String, Failure> {
    let mut text = String::from(
        "device,kind,target,set,n,mape_percent,rmspe_percent,within_10_percent,excluded,r2,mae,rmse,non_positive\n",
    );
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for line in lines {
        let m = &line.metrics;
        writer
            .write_record([
                line.device.clone(),
                line.kind.to_owned(),
                line.target.to_owned(),
                line.set.clone(),
                m.n.to_string(),
                number(m.mape_percent),
                number(m.rmspe_percent),
                number(m.within_10_percent),
                m.excluded.to_string(),
                number(m.r2),
                number(m.mae),
                number(m.rmse),
                m.non_positive.to_string(),
            ])
            .map_err(|e| Failure::data(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| Failure::data(e.to_string()))?;
    text.push_str(&String::from_utf8_lossy(&bytes));
    Ok(text)
}

fn human_lines(lines: &[Line]) -> String {
    let header =
        ["device", "kind", "target", "set", "n", "RMSPE %", "MAPE %", "±10 % %", "excluded", "R²", "MAE", "≤ 0"];
    let row = |line: &Line| {
        let m = &line.metrics;
        vec![
            line.device.clone(),
            line.kind.to_owned(),
            line.target.to_owned(),
            line.set.clone(),
            m.n.to_string(),
            figure(m.rmspe_percent, 1),
            figure(m.mape_percent, 1),
            figure(m.within_10_percent, 1),
            m.excluded.to_string(),
            figure(m.r2, 3),
            figure(m.mae, 4),
            m.non_positive.to_string(),
        ]
    };
    render(&header, lines.iter().map(row).collect(), 4)
}

fn human_totals(outcome: &Outcome) -> String {
    if outcome.totals.is_empty() {
        return String::new();
    }
    let ratio = |predicted: f64, measured: f64| figure(Some(100.0 * (predicted / measured - 1.0)), 1);
    let row = |total: &learn::fit::train::NetworkPrediction| {
        let energy = total.measured_mj.zip(total.predicted_mj);
        vec![
            total.network.clone(),
            if total.test { "test" } else { "held-out fold" }.to_owned(),
            total.layers.len().to_string(),
            figure(Some(total.measured_ms), 4),
            figure(Some(total.predicted_ms), 4),
            ratio(total.predicted_ms, total.measured_ms),
            figure(energy.map(|e| e.0), 4),
            figure(energy.map(|e| e.1), 4),
            energy.map_or_else(|| "–".to_owned(), |(m, p)| ratio(p, m)),
        ]
    };
    let header = [
        "network",
        "set",
        "layers",
        "measured ms",
        "predicted ms",
        "off by %",
        "measured mJ",
        "predicted mJ",
        "off by %",
    ];
    format!("\n{}", render(&header, outcome.totals.iter().map(row).collect(), 2))
}
