//! Judges a folder of models on a folder of data: layer kind by layer kind, and whole networks.

use super::Metrics;
use crate::features::columns::Shape;
use crate::fit::train::Outcome;
use crate::model::{Interval, Target};
use crate::predict::{Models, ShapePrediction, Source};
use crate::training::{NetworkTotal, Total, TrainingData};
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeMap;

/// The level whose coverage is told.
const LEVEL: f64 = 0.9;

/// What is judged: a target of models, or the energy that follows from both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// W.
    Power,
    /// ms.
    Runtime,
    /// mJ.
    Energy,
}

impl Judged {
    /// The word that tables carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Runtime => "runtime",
            Self::Energy => "energy",
        }
    }
}

/// One line of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// A layer kind, or `network`.
    pub kind: &'static str,
    /// What is judged.
    pub target: Judged,
    /// The network, where each is judged by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// How far predictions are off.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Share of the measurements that lie within their 90 % intervals, in percent; none where no prediction has one.
    pub interval_90_coverage_percent: Option<f64>,
    /// Predictions that came from no model but from the device's roofline or median power.
    pub without_model: usize,
}

/// An evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// Its lines, layer kinds first.
    pub lines: Vec<Line>,
    /// What could not be judged, in sentences for people.
    pub notes: Vec<String>,
}

/// Measurements with their predictions.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    measured: Vec<f64>,
    predicted: Vec<f64>,
    inside: Vec<bool>,
    without_model: usize,
}

impl Pairs {
    pub(crate) fn push(&mut self, measured: f64, predicted: f64, interval: Option<Interval>, source: Source) {
        self.measured.push(measured);
        self.predicted.push(predicted);
        if let Some(i) = interval.filter(|i| (i.level - LEVEL).abs() < 1e-9) {
            self.inside.push(measured >= predicted * i.lower_ratio && measured <= predicted * i.upper_ratio);
        }
        self.without_model += usize::from(source != Source::Model);
    }

    fn line(&self, kind: &'static str, target: Judged, network: Option<String>) -> Line {
        let inside = self.inside.iter().filter(|inside| **inside).count();
        Line {
            kind,
            target,
            network,
            metrics: Metrics::of(&self.measured, &self.predicted),
            interval_90_coverage_percent: (!self.inside.is_empty())
                .then(|| 100.0 * inside as f64 / self.inside.len() as f64),
            without_model: self.without_model,
        }
    }
}

/// Pairs by layer kind (none: networks), target and network.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<(Option<Table>, Judged), BTreeMap<String, Pairs>>,
}

impl Ledger {
    pub(crate) fn entry(&mut self, table: Option<Table>, target: Judged, network: &str) -> &mut Pairs {
        self.entries.entry((table, target)).or_default().entry(network.to_owned()).or_default()
    }

    /// A line a layer kind and target, and one for each of its networks besides if wanted.
    pub(crate) fn lines(self, by_network: bool) -> Vec<Line> {
        let position = |table: Option<Table>| Table::ALL.iter().position(|t| Some(*t) == table).unwrap_or(usize::MAX);
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        entries.sort_by_key(|((table, target), _)| (position(*table), *target));
        let mut lines = Vec::new();
        for ((table, target), networks) in entries {
            let kind = table.map_or("network", Table::name);
            let mut all = Pairs::default();
            let mut each = Vec::new();
            for (network, pairs) in networks {
                each.push(pairs.line(kind, target, Some(network)));
                all.measured.extend(pairs.measured);
                all.predicted.extend(pairs.predicted);
                all.inside.extend(pairs.inside);
                all.without_model += pairs.without_model;
            }
            lines.push(all.line(kind, target, None));
            if by_network {
                lines.extend(each);
            }
        }
        lines
    }
}

/// A network's total with its layers, by table and number in it.
type Summed = (NetworkTotal, Vec<(Table, usize)>);
/// Predicted power and run time of each layer, by table and number in it.
type Predictions = BTreeMap<(Table, usize), [Option<ShapePrediction>; 2]>;

/// Judges what a fit predicted of networks that its models had not seen.
#[must_use]
pub fn judge_unseen(data: &TrainingData, outcome: &Outcome, by_network: bool) -> Judgement {
    let mut ledger = Ledger::default();
    for layer in &outcome.unseen {
        let row = &data.tables[&layer.table][layer.number];
        let [power, runtime] = layer.predicted;
        let energy = power.zip(runtime).map(|(p, t)| p * t);
        let measured_energy = row.power.zip(row.runtime).map(|(p, t)| (p * t).0);
        for (target, measured, predicted) in [
            (Judged::Power, row.power.map(|p| p.0), power),
            (Judged::Runtime, row.runtime.map(|t| t.0), runtime),
            (Judged::Energy, measured_energy, energy),
        ] {
            if let (Some(measured), Some(predicted)) = (measured, predicted) {
                let pairs = ledger.entry(Some(layer.table), target, &row.network);
                pairs.push(measured, predicted, None, Source::Model);
            }
        }
    }
    for total in &outcome.totals {
        let mut push = |target, measured, predicted| {
            ledger.entry(None, target, &total.network).push(measured, predicted, None, Source::Model);
        };
        push(Judged::Runtime, total.measured_ms, total.predicted_ms);
        if let (Some(measured), Some(predicted)) = (total.measured_mj, total.predicted_mj) {
            push(Judged::Energy, measured, predicted);
            push(Judged::Power, measured / total.measured_ms, predicted / total.predicted_ms);
        }
    }
    Judgement { lines: ledger.lines(by_network), notes: Vec::new() }
}

/// Judges models on the rows and totals of their device.
///
/// # Errors
/// A model that cannot be loaded or run, or data without anything measured.
pub fn judge(models: &Models, data: &TrainingData, in_data: &str, by_network: bool) -> Result<Judgement, Failure> {
    let predictions = predict_all(models, data, in_data)?;
    let mut ledger = Ledger::default();
    let mut notes = Vec::new();
    layers(data, &predictions, &mut ledger);
    networks(models, data, in_data, &predictions, &mut ledger, &mut notes);
    let lines = ledger.lines(by_network);
    if lines.is_empty() {
        return Err(Failure::data(format!("no power and no run time was measured on {in_data}"))
            .help("`power` and `runtime` columns of the tables, or `networks.csv`, hold the measurements"));
    }
    Ok(Judgement { lines, notes })
}

fn predict_all(models: &Models, data: &TrainingData, device: &str) -> Result<Predictions, Failure> {
    let mut predictions = Predictions::new();
    for (table, rows) in &data.tables {
        let (numbers, shapes): (Vec<usize>, Vec<&Shape>) =
            rows.iter().enumerate().filter(|(_, row)| row.is_of(device)).map(|(i, row)| (i, &row.shape)).unzip();
        for (slot, target) in Target::ALL.into_iter().enumerate() {
            if let Some(values) = models.predict_shapes(*table, target, &shapes)? {
                for (number, value) in numbers.iter().zip(values) {
                    predictions.entry((*table, *number)).or_default()[slot] = Some(value);
                }
            }
        }
    }
    Ok(predictions)
}

fn layers(data: &TrainingData, predictions: &Predictions, ledger: &mut Ledger) {
    for ((table, number), [power, runtime]) in predictions {
        let row = &data.tables[table][*number];
        let mut push = |target, measured: Option<f64>, predicted: Option<ShapePrediction>| {
            if let (Some(measured), Some(p)) = (measured, predicted) {
                ledger.entry(Some(*table), target, &row.network).push(measured, p.value, p.interval, p.source);
            }
        };
        push(Judged::Power, row.power.map(|p| p.0), *power);
        push(Judged::Runtime, row.runtime.map(|t| t.0), *runtime);
        let energy = power.zip(*runtime).map(|(power, runtime)| ShapePrediction {
            value: power.value * runtime.value,
            interval: None,
            source: if power.source == Source::Model { runtime.source } else { power.source },
        });
        push(Judged::Energy, row.power.zip(row.runtime).map(|(p, t)| (p * t).0), energy);
    }
}

/// Sums over layers against totals; where there are no totals, against the sums of measured layers.
fn networks(
    models: &Models,
    data: &TrainingData,
    device: &str,
    predictions: &Predictions,
    ledger: &mut Ledger,
    notes: &mut Vec<String>,
) {
    let summed;
    let totals = if data.totals.is_empty() {
        summed = sums_of_layers(data, device);
        summed.iter().map(|(measured, layers)| Total { measured, layers: layers.clone() }).collect()
    } else {
        data.totals_of(device)
    };
    let known = models.device();
    let mut incomplete = 0;
    for total in &totals {
        let (mut runtime, mut energy, mut source) = (Some(0.0), Some(0.0), Source::Model);
        for key in &total.layers {
            let [power, time] = predictions.get(key).copied().unwrap_or_default();
            runtime = runtime.zip(time).map(|(sum, t)| sum + t.value);
            energy = energy.zip(power.zip(time)).map(|(sum, (p, t))| sum + p.value * t.value);
            if time.is_some_and(|t| t.source != Source::Model) {
                source = Source::Roofline;
            }
        }
        if runtime.is_none() {
            incomplete += 1;
        }
        let mut push = |target, measured: Option<f64>, predicted: Option<f64>, interval| {
            if let (Some(measured), Some(predicted)) = (measured, predicted) {
                ledger.entry(None, target, &total.measured.network).push(measured, predicted, interval, source);
            }
        };
        push(Judged::Runtime, total.measured.runtime.map(|t| t.0), runtime, known.runtime_total);
        push(Judged::Energy, total.measured.energy().map(|e| e.0), energy, known.energy_total);
        let power = energy.zip(runtime).map(|(e, t)| e / t);
        push(Judged::Power, total.measured.power().map(|p| p.0), power, known.power_total);
    }
    if incomplete > 0 {
        notes
            .push(format!("{incomplete} networks have a layer that nothing predicts; they are left out of the totals"));
    }
    let without_layers = data.totals.len() - if data.totals.is_empty() { 0 } else { totals.len() };
    if without_layers > 0 {
        notes.push(format!("{without_layers} totals are of networks without layers on {device}; they are left out"));
    }
}

/// The sums of networks all of whose layers have a run time; energy where all have power too.
fn sums_of_layers(data: &TrainingData, device: &str) -> Vec<Summed> {
    let mut sums: BTreeMap<&str, Summed> = BTreeMap::new();
    for (table, rows) in &data.tables {
        for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.is_of(device)) {
            let (total, layers) = sums.entry(&row.network).or_insert_with(|| {
                let zero = NetworkTotal {
                    network: row.network.clone(),
                    device: None,
                    batch_size: 1.0,
                    runtime: Some(shared::units::Millis(0.0)),
                    power: None,
                    energy: Some(shared::units::Millijoules(0.0)),
                };
                (zero, Vec::new())
            });
            total.runtime = total.runtime.zip(row.runtime).map(|(sum, t)| sum + t);
            total.energy = total.energy.zip(row.power.zip(row.runtime)).map(|(sum, (p, t))| sum + p * t);
            layers.push((*table, number));
        }
    }
    sums.into_values().filter(|(total, layers)| total.runtime.is_some() && layers.len() > 1).collect()
}
