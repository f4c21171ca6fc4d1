//! From the runs of a plan to models, and what they are worth.

use super::judge::{Judgement, MorePays, halves, judge, layer_mape, only, pairs_of};
use super::runs::{Runs, prepare};
use learn::fit::kinds::Kind;
use learn::fit::plan::{EvaluationSettings, Plan};
use learn::fit::run::{DeviceChoice, choose_devices, fit_devices};
use learn::fit::train::{FitJob, train};
use learn::model::{Target, devices, replace_device, set_default_device};
use learn::predict::Models;
use learn::training::{self, TrainingData};
use learn::transfer::{Carried, Request, carry};
use serde::Serialize;
use shared::campaign::{CampaignPlan, LEARNED_FOLDER, Outcome, ProgressLog};
use shared::device::DeviceName;
use shared::failure::{Failure, Kind as FailureKind};
use shared::fs::write_atomic;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The report's file.
const REPORT_FILE: &str = "report.json";
/// Version of the report's format.
const SCHEMA_VERSION: u32 = 1;

/// What is asked of learning.
#[derive(Debug)]
pub struct LearnOptions<'a> {
    /// Model kind.
    pub kind: Kind,
    /// Models of other devices, from which models may be carried over.
    pub shipped: Option<&'a Path>,
    /// The device to carry over from, in place of another mode of the same board.
    pub from: Option<&'a str>,
    /// Whether to find out if more measurements pay, which takes two more fits.
    pub curve: bool,
}

/// What was learned in one mode.
#[derive(Debug, Serialize)]
pub struct LearnedDevice {
    /// The device.
    pub device: String,
    /// Runs that models learned from, and networks kept back.
    pub runs: usize,
    /// The networks kept back.
    pub held_out: Vec<String>,
    /// Measured layers, those of networks kept back included.
    pub rows: usize,
    /// Runs that were aligned now, and before.
    pub aligned: (usize, usize),
    /// How the models came about.
    pub models_from: String,
    /// The tables.
    pub training: PathBuf,
    /// How good the models are.
    pub judgement: Judgement,
    /// Whether more measurements pay; none where that was not asked for or cannot be told.
    pub more: Option<MorePays>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// What was learned.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this format.
    pub schema_version: u32,
    /// Folder of the models.
    pub models: PathBuf,
    /// Each mode.
    pub devices: Vec<LearnedDevice>,
    /// Items that have no run, and why.
    pub missing: Vec<String>,
}

/// Learns from the runs of a plan's folder into `learned/` below it: aligned runs, training tables, models, a report. `said` hears of
/// each step.
///
/// # Errors
/// No plan, no complete run, or a fit that fails where no models can be carried over.
pub fn learn(folder: &Path, options: &LearnOptions<'_>, said: &mut dyn FnMut(&str)) -> Result<Report, Failure> {
    let plan = CampaignPlan::read(folder)?;
    let models = folder.join(LEARNED_FOLDER).join("models");
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        models: models.clone(),
        devices: Vec::new(),
        missing: missing(&plan, &ProgressLog::read(folder)?),
    };
    let mut first_failure = None;
    for mode in plan.modes() {
        match learn_mode(folder, &plan, mode, &models, options, said) {
            Ok(device) => report.devices.push(device),
            // A mode that could not be measured must not keep the others from being learned.
            Err(failure) if plan.modes().len() > 1 && failure.kind == FailureKind::Data => {
                report.missing.push(format!("{}: {failure}", mode.unwrap_or("the board's mode")));
                first_failure.get_or_insert(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    if let (true, Some(failure)) = (report.devices.is_empty(), first_failure) {
        return Err(failure);
    }
    let mut text = serde_json::to_vec_pretty(&report).map_err(|e| Failure::from_error(FailureKind::Data, e))?;
    text.push(b'\n');
    write_atomic(&folder.join(LEARNED_FOLDER).join(REPORT_FILE), &text)?;
    Ok(report)
}

/// Items without a run, with the reason that the agent recorded.
fn missing(plan: &CampaignPlan, progress: &ProgressLog) -> Vec<String> {
    let latest = progress.latest();
    let mut missing = Vec::new();
    for mode in plan.modes() {
        for item in &plan.items {
            let name = mode.map_or_else(|| item.id.clone(), |mode| format!("{mode}/{}", item.id));
            match latest.get(&(mode, item.id.as_str())) {
                None => missing.push(format!("{name}: not measured")),
                Some(record) if record.outcome != Outcome::Done => {
                    missing.push(format!("{name}: {}", record.reason.as_deref().unwrap_or("failed")));
                }
                Some(_) => {}
            }
        }
    }
    missing
}

/// The data of a mode, and what is kept back.
struct Data {
    all: TrainingData,
    training: TrainingData,
    held_out: TrainingData,
    names: BTreeSet<String>,
    device: DeviceChoice,
}

fn learn_mode(
    folder: &Path,
    plan: &CampaignPlan,
    mode: Option<&str>,
    models: &Path,
    options: &LearnOptions<'_>,
    said: &mut dyn FnMut(&str),
) -> Result<LearnedDevice, Failure> {
    let mut notes = Vec::new();
    said("aligning runs and making tables");
    let runs = prepare(folder, plan, mode, &mut |_| ())?;
    notes.extend(runs.failures.iter().map(|failure| format!("left out: {failure}")));
    let data = Data::read(plan, mode, &runs, &mut notes)?;
    let graphs: Vec<(String, PathBuf)> = plan
        .items
        .iter()
        .filter(|item| item.held_out && runs.items.contains_key(&item.id))
        .map(|item| (item.id.clone(), folder.join(&item.engine_info)))
        .collect();
    said("fitting models");
    let fitted = fit(&data, &runs, models, options.kind);
    let source = source(options, &data.device.name)?;
    let carried = source.as_ref().map(|source| carry_over(&data, source));
    let models_from = match (fitted, source, carried) {
        (Ok(own), Some((_, from)), Some(Ok(carried))) if is_better(&data, &carried, own) => {
            replace_device(models, &carried.device, &carried.artefacts)?;
            format!("carried over from {from}: better on networks left out in turn than a fit to these runs")
        }
        (Ok(_), source, carried) => {
            if let (Some((_, from)), Some(Err(failure))) = (source, carried) {
                notes.push(format!("{from} was not carried over: {failure}"));
            }
            format!("fitted to these runs ({})", options.kind.name())
        }
        (Err(failure), Some((_, from)), Some(Ok(carried))) => {
            replace_device(models, &carried.device, &carried.artefacts)?;
            set_default_device(models, &data.device.name)?;
            format!("carried over from {from}, since these runs are too few for a fit: {failure}")
        }
        (Err(failure), ..) => return Err(failure),
    };
    let opened = Models::open(models, &data.device.name)?;
    let judgement = judge(&opened, &data.held_out, &data.device.in_data, &graphs)?;
    let more = match judgement.layer_mape_percent.filter(|_| options.curve) {
        Some(all) => {
            said("fitting halves of the measurements");
            half_mape(&data, options.kind, plan.seed)?.map(|half| MorePays::of(half, all))
        }
        None => None,
    };
    if graphs.is_empty() {
        notes.push("no network was kept back and measured: nothing is known of how good the models are".into());
    }
    Ok(LearnedDevice {
        device: data.device.name.clone(),
        runs: runs.items.len(),
        held_out: graphs.into_iter().map(|(network, _)| network).collect(),
        rows: data.all.tables.values().map(Vec::len).sum(),
        aligned: runs.aligned,
        models_from,
        training: runs.training,
        judgement,
        more,
        notes,
    })
}

impl Data {
    fn read(plan: &CampaignPlan, mode: Option<&str>, runs: &Runs, notes: &mut Vec<String>) -> Result<Self, Failure> {
        let mut all = training::read(&runs.training)?;
        // Tables of runs that are gone would count.
        all = only(&all, &|network| runs.items.contains_key(network));
        notes.append(&mut all.notes);
        let item = |name: &str| plan.items.iter().find(|item| item.owns(name));
        for total in &mut all.totals {
            // Members of one architecture stand together in folds.
            total.family = total.network.split('-').next().map(str::to_owned);
        }
        let name = DeviceName::cleaned(&plan.board, mode).map_or_else(|| plan.board.clone(), |name| name.to_string());
        let known = learn::fit::run::devices_of(&all);
        // As the board stood: it knows its mode better than the plan.
        let named = known.iter().next().filter(|_| mode.is_none() && known.len() == 1);
        let own = named.and_then(|name| name.parse::<DeviceName>().ok()).filter(|name| name.board() == plan.board);
        let name = own.map_or(name, |own| own.to_string());
        let (mut chosen, _) = choose_devices(&all, Some(&name), &runs.training)?;
        let device = chosen.pop().unwrap_or_else(|| DeviceChoice::same(&name));
        let is_held_out = |name: &str| item(name).is_some_and(|item| item.held_out);
        let (training, held_out) = (only(&all, &|name| !is_held_out(name)), only(&all, &is_held_out));
        let names = held_out.networks().into_iter().map(str::to_owned).collect();
        Ok(Self { all, training, held_out, names, device })
    }

    /// Whether it is a whole network: those have totals.
    fn is_network(&self, name: &str) -> bool {
        self.all.totals.iter().any(|total| total.network == name)
    }
}

/// Fits models and writes them; networks kept back are judged by, and not learned from. Returns the error on whole networks of a
/// cross-validation, as a part of one.
fn fit(data: &Data, runs: &Runs, models: &Path, kind: Kind) -> Result<Option<f64>, Failure> {
    let mut plan = Plan::of(kind);
    plan.test_models = data.names.iter().cloned().collect();
    let devices = [data.device.clone()];
    let outcomes = fit_devices(&plan, &data.all, &runs.training, &devices, &data.names, models, &|_, _| ())?;
    let errors =
        outcomes.iter().flat_map(|outcome| &outcome.totals).filter(|one| !one.test && data.is_network(&one.network));
    Ok(mean(errors.map(|one| (one.predicted_ms / one.measured_ms - 1.0).abs())))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// A device whose models may be carried over, with the folder that holds it: the one asked for, else another mode of the same board.
fn source(options: &LearnOptions<'_>, device: &str) -> Result<Option<(PathBuf, String)>, Failure> {
    let Some(shipped) = options.shipped else { return Ok(None) };
    if let Some(from) = options.from {
        return Ok(Some((shipped.to_owned(), from.to_owned())));
    }
    let board = |name: &str| name.parse::<DeviceName>().map(|name| name.board().to_owned()).ok();
    let own = board(device);
    let of_board = devices(shipped)?.into_iter().find(|name| board(name) == own && own.is_some());
    Ok(of_board.map(|from| (shipped.to_owned(), from)))
}

/// The models of another device, brought to this one by the runs that models learn from.
fn carry_over(data: &Data, (shipped, from): &(PathBuf, String)) -> Result<Carried, Failure> {
    let level = EvaluationSettings::default().interval_level;
    carry(&Request { models: shipped, from, to: &data.device.name, data: Some(&data.training), level })
}

/// Whether carried models are better on networks that were left out in turn than a fit is; `own` is the error of the fit.
fn is_better(data: &Data, carried: &Carried, own: Option<f64>) -> bool {
    let left_out = carried.left_out.iter().filter(|(network, _)| data.is_network(network));
    let error = mean(left_out.map(|(_, log_ratio)| ((-log_ratio).exp() - 1.0).abs()));
    error.zip(own).is_some_and(|(carried, own)| carried < own)
}

/// The error after half of the measurements: the mean of both halves; none where a half is too small for a fit.
fn half_mape(data: &Data, kind: Kind, seed: u64) -> Result<Option<f64>, Failure> {
    let names = data.training.networks().into_iter().map(str::to_owned).collect();
    let estimator = Plan::of(kind).estimator();
    let evaluation = EvaluationSettings { folds: 0, ..EvaluationSettings::default() };
    let mut errors = Vec::new();
    for half in halves(&names, seed) {
        let part = only(&data.training, &|name| half.contains(name));
        let job = FitJob::new(&part, estimator.as_ref(), &evaluation);
        let Ok(outcome) = train(&job, &data.device.in_data, &|_, _: Target| ()) else { return Ok(None) };
        let models = Models::of(outcome.device, outcome.artefacts, Path::new("half of the measurements"));
        errors.extend(layer_mape(&pairs_of(&models, &data.held_out, &data.device.in_data)?));
    }
    Ok((errors.len() == 2).then(|| errors.iter().sum::<f64>() / 2.0))
}
