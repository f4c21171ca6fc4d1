//! Measurements of layers and whole networks, each with its prediction.

use super::baselines::Baselines;
use super::measurand::Measurand;
use crate::features::LayerSpec;
use crate::model::{Interval, Target};
use crate::predict::{Estimate, Models, Source};
use crate::training::{NetworkTotal, Row, Total, TrainingData};
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The level whose coverage is counted.
const LEVEL: f64 = 0.9;

/// A measurement with its prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The layer kind; none: a whole network.
    pub table: Option<Table>,
    /// What was measured.
    pub target: Measurand,
    /// The network.
    pub network: String,
    /// The layer's name, where it has one; empty for a network.
    pub layer: String,
    /// W, ms or mJ.
    pub measured: f64,
    /// In the same unit.
    pub predicted: f64,
    /// Bounds of the prediction, where there are any.
    pub interval: Option<Interval>,
    /// Where the prediction came from.
    pub source: Source,
    /// Multiply-accumulates; of a network, those of its layers together.
    pub macs: f64,
    /// Whether a model behind the prediction was fitted on the network.
    pub seen: bool,
    /// Predictions of baseline kinds, by name.
    pub baselines: Vec<(&'static str, f64)>,
}

impl Pair {
    /// The word for its kind: a layer kind, or `network`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.table.map_or("network", Table::name)
    }

    /// Network and layer, for people.
    #[must_use]
    pub fn name(&self) -> String {
        if self.layer.is_empty() { self.network.clone() } else { format!("{} · {}", self.network, self.layer) }
    }

    /// Whether the measurement lies within its 90 % interval; none where there is no such interval.
    #[must_use]
    pub fn is_inside(&self) -> Option<bool> {
        let interval = self.interval.filter(|i| (i.level - LEVEL).abs() < 1e-9)?;
        Some(interval.holds(self.measured, self.predicted))
    }
}

/// Pairs, and what has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    /// Layers, table by table, then networks.
    pub pairs: Vec<Pair>,
    /// What could not be evaluated, in sentences for people.
    pub notes: Vec<String>,
}

/// A network's total with its layers, by table and number in it.
type Summed = (NetworkTotal, Vec<(Table, usize)>);
/// Predicted power and run time of each layer, by table and number in it.
type Predictions = BTreeMap<(Table, usize), [Option<Estimate>; 2]>;

/// Predicts every row and total of a device that was measured.
///
/// # Errors
/// A model that cannot be loaded or run, or data without anything measured.
pub fn pairs(models: &Models, data: &TrainingData, in_data: &str, baselines: &Baselines) -> Result<Pairs, Failure> {
    let predictions = predict_all(models, data, in_data)?;
    let seen = Seen::of(models);
    let mut found = Pairs::default();
    let known = Known { predictions: &predictions, seen: &seen, baselines };
    layers(data, &known, &mut found.pairs);
    networks(models, data, in_data, &known, &mut found);
    if found.pairs.is_empty() {
        return Err(Failure::data(format!("no power and no run time was measured on {in_data}"))
            .help("`power` and `runtime` columns of the tables, or `networks.csv`, hold the measurements"));
    }
    Ok(found)
}

fn predict_all(models: &Models, data: &TrainingData, device: &str) -> Result<Predictions, Failure> {
    let mut predictions = Predictions::new();
    for (table, rows) in &data.tables {
        let (numbers, layers): (Vec<usize>, Vec<&LayerSpec>) =
            rows.iter().enumerate().filter(|(_, row)| row.is_of(device)).map(|(i, row)| (i, &row.spec)).unzip();
        for (slot, target) in Target::ALL.into_iter().enumerate() {
            for (number, estimate) in numbers.iter().zip(models.predict_target(target, &layers)?) {
                if estimate.is_some() {
                    predictions.entry((*table, *number)).or_default()[slot] = estimate;
                }
            }
        }
    }
    Ok(predictions)
}

/// Networks that the models were fitted on.
struct Seen<'a> {
    by_model: HashMap<(Table, Target), BTreeSet<&'a str>>,
    by_device: BTreeSet<&'a str>,
}

impl<'a> Seen<'a> {
    fn of(models: &'a Models) -> Self {
        let names = |names: &'a [String]| names.iter().map(String::as_str).collect();
        let by_model = models.cards().map(|c| ((c.layer_kind, c.target), names(&c.training_networks))).collect();
        Self { by_model, by_device: names(&models.device().networks) }
    }

    /// What has no model takes the roofline or the median, which all of the device's training networks shaped.
    fn has(&self, table: Table, target: Target, network: &str) -> bool {
        self.by_model.get(&(table, target)).unwrap_or(&self.by_device).contains(network)
    }
}

/// Predictions of all layers, by models and by baselines.
struct Known<'a> {
    predictions: &'a Predictions,
    seen: &'a Seen<'a>,
    baselines: &'a Baselines,
}

fn layers(data: &TrainingData, known: &Known<'_>, pairs: &mut Vec<Pair>) {
    for ((table, number), [power, runtime]) in known.predictions {
        let row: &Row = &data.tables[table][*number];
        let [saw_power, saw_runtime] = Target::ALL.map(|target| known.seen.has(*table, target, &row.network));
        let macs = row.spec.work().macs.unwrap_or(0.0);
        let mut push = |target, measured: Option<f64>, predicted: Option<&Estimate>, seen| {
            if let (Some(measured), Some(p)) = (measured, predicted) {
                pairs.push(Pair {
                    table: Some(*table),
                    target,
                    network: row.network.clone(),
                    layer: row.layer.clone(),
                    measured,
                    predicted: p.value,
                    interval: p.interval,
                    source: p.source,
                    macs,
                    seen,
                    baselines: known.baselines.of_layer(&(*table, *number), target),
                });
            }
        };
        push(Measurand::Power, row.power.map(|p| p.0), power.as_ref(), saw_power);
        push(Measurand::Runtime, row.runtime.map(|t| t.0), runtime.as_ref(), saw_runtime);
        let energy = power.as_ref().zip(runtime.as_ref()).map(|(power, runtime)| Estimate {
            value: power.value * runtime.value,
            interval: None,
            outside_range: Arc::default(),
            source: if power.source == Source::Model { runtime.source } else { power.source },
        });
        push(
            Measurand::Energy,
            row.power.zip(row.runtime).map(|(p, t)| (p * t).0),
            energy.as_ref(),
            saw_power || saw_runtime,
        );
    }
}

/// Sums over layers against totals; where there are no totals, against the sums of measured layers.
fn networks(models: &Models, data: &TrainingData, device: &str, known: &Known<'_>, found: &mut Pairs) {
    let summed;
    let totals = if data.totals.is_empty() {
        summed = sums_of_layers(data, device);
        summed.iter().map(|(measured, layers)| Total { measured, layers: layers.clone() }).collect()
    } else {
        data.totals_of(device)
    };
    let device_intervals = models.device();
    let mut incomplete = 0;
    for total in &totals {
        let (mut runtime, mut energy, mut source) = (Some(0.0), Some(0.0), Source::Model);
        for key in &total.layers {
            let [power, time] =
                known.predictions.get(key).map_or([None, None], |[power, time]| [power.as_ref(), time.as_ref()]);
            runtime = runtime.zip(time).map(|(sum, t)| sum + t.value);
            energy = energy.zip(power.zip(time)).map(|(sum, (p, t))| sum + p.value * t.value);
            if time.is_some_and(|t| t.source != Source::Model) {
                source = Source::Roofline;
            }
        }
        if runtime.is_none() {
            incomplete += 1;
        }
        let macs = |(table, number): &(Table, usize)| data.tables[table][*number].spec.work().macs.unwrap_or(0.0);
        let macs = total.layers.iter().map(macs).sum();
        let mut push = |target, measured: Option<f64>, predicted: Option<f64>, interval| {
            if let (Some(measured), Some(predicted)) = (measured, predicted) {
                found.pairs.push(Pair {
                    table: None,
                    target,
                    network: total.measured.network.clone(),
                    layer: String::new(),
                    measured,
                    predicted,
                    interval,
                    source,
                    macs,
                    seen: known.seen.by_device.contains(total.measured.network.as_str()),
                    baselines: known.baselines.of_network(&total.layers, target),
                });
            }
        };
        push(Measurand::Runtime, total.measured.runtime.map(|t| t.0), runtime, device_intervals.runtime_total);
        push(Measurand::Energy, total.measured.energy().map(|e| e.0), energy, device_intervals.energy_total);
        let power = energy.zip(runtime).map(|(e, t)| e / t);
        push(Measurand::Power, total.measured.power().map(|p| p.0), power, device_intervals.power_total);
    }
    if incomplete > 0 {
        found
            .notes
            .push(format!("{incomplete} networks have a layer that nothing predicts; they are left out of the totals"));
    }
    let without_layers = data.totals.len() - if data.totals.is_empty() { 0 } else { totals.len() };
    if without_layers > 0 {
        found
            .notes
            .push(format!("{without_layers} totals are of networks without layers on {device}; they are left out"));
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
                    family: None,
                    source: None,
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
