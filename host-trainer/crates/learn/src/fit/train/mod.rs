//! From training data to model artefacts: one power and one runtime model a layer kind, judged on held-out networks.

mod artefact;
mod layers;
mod totals;
mod validate;

pub(crate) use layers::{fit_above_floor, pose};
pub use validate::validate;

use super::plan::Evaluation;
use super::roofline;
use crate::features::Extraction;
use crate::model::{Artefact, Device, Interval, Recipe, Target};
use crate::training::{Row, TrainingData};
use estimators::FitError;
use layers::measured;
use rayon::prelude::*;
use shared::engine::Table;
use shared::units::Millis;
use std::collections::{BTreeMap, BTreeSet};
use totals::{Key, Values};

/// Rows a table needs before a model is fitted on it. Below it the roofline speaks for the table's layers.
pub const FEWEST_ROWS: usize = 5;
/// Rows whose predictions a card keeps as a self-test.
const SELF_TEST_ROWS: usize = 8;
/// Largest relative difference between the in-memory model and its ONNX file, and between two runtimes.
pub const ONNX_TOLERANCE: f64 = 1e-5;

/// What to fit.
#[derive(Debug)]
pub struct Order<'a> {
    /// The data, of every device.
    pub data: &'a TrainingData,
    /// The model kind with its options.
    pub recipe: &'a dyn Recipe,
    /// How models are judged.
    pub evaluation: &'a Evaluation,
    /// Networks kept back.
    pub test_networks: &'a BTreeSet<String>,
    /// How layers of an engine are to be read for these models.
    pub extraction: Extraction,
    /// Whether predictions may be negative.
    pub negative_predictions: bool,
}

/// What came of fitting one device.
#[derive(Debug)]
pub struct Outcome {
    /// The models.
    pub artefacts: Vec<Artefact>,
    /// What holds for the device as a whole.
    pub device: Device,
    /// What was not fitted, and why.
    pub skipped: Vec<Skipped>,
    /// Whole networks, predicted by models that did not see them, against their totals or the sums of their measured
    /// layers.
    pub totals: Vec<Total>,
    /// Layers predicted by models that did not see their networks.
    pub unseen: Vec<Unseen>,
}

/// A model that was not fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Layer kind.
    pub table: Table,
    /// Target.
    pub target: Target,
    /// Why.
    pub reason: String,
}

/// A layer predicted by models that did not see its network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unseen {
    /// Its table.
    pub table: Table,
    /// Its number in the table.
    pub number: usize,
    /// Predicted power (W) and run time (ms), in the order of [`Target::ALL`].
    pub predicted: [Option<f64>; 2],
}

/// One network's sums over the layers that models predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// The network.
    pub network: String,
    /// Whether it was kept back for testing; else it was a held-out fold of cross-validation.
    pub test: bool,
    /// Layers summed.
    pub layers: usize,
    /// Measured run time, or the sum of the layers', ms.
    pub measured_ms: f64,
    /// Sum of predicted run times, ms.
    pub predicted_ms: f64,
    /// Measured energy, or the sum of power × run time, mJ; none where a layer lacks power.
    pub measured_mj: Option<f64>,
    /// Sum of predicted power × run time, mJ.
    pub predicted_mj: Option<f64>,
}

/// A table's rows of one device, each with its number in the table.
type DeviceTable<'a> = (Table, Vec<(usize, &'a Row)>);

/// What fitting one target left.
#[derive(Default)]
struct Share {
    artefacts: Vec<Artefact>,
    skipped: Vec<Skipped>,
    /// Layers' values by models that had not seen their networks.
    unseen: Values,
    /// Values of layers that lack a measurement.
    inferred: Values,
}

/// Fits every model of a device. `progress` is told of each model as it is done.
///
/// # Errors
/// When no model at all can be fitted, or a fit fails for a reason other than too few rows.
pub fn train(order: &Order<'_>, device: &str, progress: &(dyn Fn(Table, Target) + Sync)) -> Result<Outcome, FitError> {
    let of_device = |rows: &'_ Vec<Row>| -> Vec<usize> { (0..rows.len()).filter(|&i| rows[i].is_of(device)).collect() };
    let tables: Vec<DeviceTable<'_>> = order
        .data
        .tables
        .iter()
        .map(|(table, rows)| (*table, of_device(rows).into_iter().map(|i| (i, &rows[i])).collect::<Vec<_>>()))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let known_totals = order.data.totals_of(device);
    let from_totals = |target| totals::wanted(order, &known_totals, target);
    let by_layers: Vec<Target> = Target::ALL.into_iter().filter(|target| !from_totals(*target)).collect();
    let mut shares = train_layers(order, device, &tables, &by_layers, progress)?;
    // Run time first: a network's power is its layers' weighted by the time that each takes.
    for target in [Target::Runtime, Target::Power].into_iter().filter(|target| from_totals(*target)) {
        let times = if target == Target::Power { times(&tables, &shares) } else { Values::new() };
        let share = match totals::train(order, device, target, &tables, &known_totals, &times) {
            Ok(learnt) => {
                let mut share = Share { artefacts: learnt.artefacts, ..Share::default() };
                for (key, value) in learnt.values {
                    let row = &order.data.tables[&key.0][key.1];
                    if learnt.unseen.contains(&row.network) {
                        share.unseen.insert(key, value);
                    }
                    share.inferred.insert(key, value);
                }
                share
            }
            Err(FitError::TooFewRows { found, needed }) => {
                let reason = format!("{found} totals and layers, {needed} are needed");
                let skipped = |(table, _): &DeviceTable<'_>| Skipped { table: *table, target, reason: reason.clone() };
                Share { skipped: tables.iter().map(skipped).collect(), ..Share::default() }
            }
            Err(e) => return Err(FitError::Failed(format!("{}: {e}", target.name()))),
        };
        tables.iter().for_each(|(table, _)| progress(*table, target));
        shares.insert(target, share);
    }
    let unseen = unseen(&shares);
    let totals = sums(order, &known_totals, &unseen);
    let device = describe_device(order, device, &tables, &shares, &totals);
    let (mut artefacts, mut skipped) = (Vec::new(), Vec::new());
    for share in shares.into_values() {
        artefacts.extend(share.artefacts);
        skipped.extend(share.skipped);
    }
    artefacts.sort_by_key(|artefact: &Artefact| (artefact.card.layer_kind, artefact.card.target));
    if artefacts.is_empty() && device.roofline.is_none() {
        let needed = FEWEST_ROWS;
        return Err(FitError::TooFewRows { found: tables.iter().map(|(_, rows)| rows.len()).sum(), needed });
    }
    Ok(Outcome { artefacts, device, skipped, totals, unseen })
}

/// Fits targets from measured layers, table by table, side by side.
fn train_layers(
    order: &Order<'_>,
    device: &str,
    tables: &[DeviceTable<'_>],
    targets: &[Target],
    progress: &(dyn Fn(Table, Target) + Sync),
) -> Result<BTreeMap<Target, Share>, FitError> {
    let jobs: Vec<(&DeviceTable<'_>, Target)> =
        tables.iter().flat_map(|table| targets.iter().map(move |target| (table, *target))).collect();
    let results: Vec<_> = jobs
        .par_iter()
        .map(|&((table, rows), target)| {
            let result = layers::train(order, device, *table, target, rows);
            progress(*table, target);
            (*table, target, result)
        })
        .collect();
    let mut shares: BTreeMap<Target, Share> = BTreeMap::new();
    for (table, target, result) in results {
        let share = shares.entry(target).or_default();
        match result {
            Ok(fitted) => {
                share.artefacts.push(fitted.artefact);
                share.unseen.extend(fitted.unseen.into_iter().map(|(number, value)| ((table, number), value)));
            }
            Err(FitError::TooFewRows { found, needed }) => {
                let reason = format!("{found} training rows, {needed} are needed");
                share.skipped.push(Skipped { table, target, reason });
            }
            Err(e) => return Err(FitError::Failed(format!("{} {}: {e}", table.name(), target.name()))),
        }
    }
    Ok(shares)
}

/// Run times of layers, measured or else learnt from totals.
fn times(tables: &[DeviceTable<'_>], shares: &BTreeMap<Target, Share>) -> Values {
    let mut times = shares.get(&Target::Runtime).map(|share| share.inferred.clone()).unwrap_or_default();
    for (table, rows) in tables {
        let known = rows.iter().filter_map(|(number, row)| Some(((*table, *number), row.runtime?.0)));
        times.extend(known);
    }
    times
}

fn unseen(shares: &BTreeMap<Target, Share>) -> Vec<Unseen> {
    let mut layers: BTreeMap<Key, [Option<f64>; 2]> = BTreeMap::new();
    for (target, share) in shares {
        for (key, value) in &share.unseen {
            layers.entry(*key).or_default()[usize::from(*target == Target::Runtime)] = Some(*value);
        }
    }
    layers.into_iter().map(|((table, number), predicted)| Unseen { table, number, predicted }).collect()
}

/// Sums over each network's layers, of networks that no model involved had seen: against the network's total where one
/// was measured, else against the sum of its measured layers.
fn sums(order: &Order<'_>, known: &[crate::training::Total<'_>], unseen: &[Unseen]) -> Vec<Total> {
    let predictions: BTreeMap<Key, [Option<f64>; 2]> =
        unseen.iter().map(|layer| ((layer.table, layer.number), layer.predicted)).collect();
    let row = |(table, number): &Key| &order.data.tables[table][*number];
    let mut sums: Vec<Total> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for total in known {
        done.insert(&total.measured.network);
        let Some(measured_ms) = total.measured.runtime.map(|t| t.0) else { continue };
        let layers: Option<Vec<[Option<f64>; 2]>> =
            total.layers.iter().map(|key| predictions.get(key).copied()).collect();
        let Some(layers) = layers else { continue };
        let Some(predicted_ms) = layers.iter().map(|[_, time]| *time).sum::<Option<f64>>() else { continue };
        sums.push(Total {
            network: total.measured.network.clone(),
            test: order.test_networks.contains(&total.measured.network),
            layers: layers.len(),
            measured_ms,
            predicted_ms,
            measured_mj: total.measured.energy().map(|e| e.0),
            predicted_mj: layers.iter().map(|[power, time]| Some((*power)? * (*time)?)).sum(),
        });
    }
    let mut by_network: BTreeMap<&str, Total> = BTreeMap::new();
    for (key, [power, time]) in &predictions {
        let row = row(key);
        let (Some(measured_ms), Some(time)) = (row.runtime.map(|t| t.0), *time) else { continue };
        if done.contains(row.network.as_str()) {
            continue;
        }
        let total = by_network.entry(&row.network).or_insert_with(|| Total {
            network: row.network.clone(),
            test: order.test_networks.contains(&row.network),
            layers: 0,
            measured_ms: 0.0,
            predicted_ms: 0.0,
            measured_mj: Some(0.0),
            predicted_mj: Some(0.0),
        });
        total.layers += 1;
        total.measured_ms += measured_ms;
        total.predicted_ms += time;
        total.measured_mj = total.measured_mj.zip(row.power).map(|(sum, p)| sum + p.0 * measured_ms);
        total.predicted_mj = total.predicted_mj.zip(*power).map(|(sum, p)| sum + p * time);
    }
    sums.extend(by_network.into_values());
    sums
}

fn describe_device(
    order: &Order<'_>,
    name: &str,
    tables: &[DeviceTable<'_>],
    shares: &BTreeMap<Target, Share>,
    totals: &[Total],
) -> Device {
    let training = || {
        tables
            .iter()
            .flat_map(|(table, rows)| rows.iter().map(|(number, row)| ((*table, *number), *row)))
            .filter(|(_, row)| !order.test_networks.contains(&row.network))
    };
    let inferred = |target: Target, key: &Key| shares.get(&target).and_then(|share| share.inferred.get(key).copied());
    let mut powers: Vec<f64> = training()
        .filter_map(|(key, row)| measured(row, Target::Power).or_else(|| inferred(Target::Power, &key)))
        .collect();
    powers.sort_by(f64::total_cmp);
    // Layers that were measured only within totals take part with what was learnt of them.
    let timed: Vec<Row> = training()
        .filter_map(|(key, row)| {
            let runtime = row.runtime.or_else(|| inferred(Target::Runtime, &key).map(Millis))?;
            Some(Row { runtime: Some(runtime), ..row.clone() })
        })
        .collect();
    let level = order.evaluation.interval_level;
    let interval = |pairs: Vec<(f64, f64)>| {
        let (measured, predicted): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Interval::conformal(level, &measured, &predicted, measured.len())
    };
    let energies = || totals.iter().filter_map(|t| Some((t, t.measured_mj?, t.predicted_mj?)));
    let runtime_total = interval(totals.iter().map(|t| (t.measured_ms, t.predicted_ms)).collect());
    let mut notes = Vec::new();
    if runtime_total.is_none() {
        notes.push(format!(
            "no interval for whole networks: {} networks were held out, and a {:.0} % interval takes more",
            totals.len(),
            100.0 * level
        ));
    }
    Device {
        name: name.to_owned(),
        roofline: roofline::fit(timed.iter()),
        median_power_w: powers.get(powers.len() / 2).copied(),
        runtime_total,
        energy_total: interval(energies().map(|(_, measured, predicted)| (measured, predicted)).collect()),
        power_total: interval(
            energies().map(|(t, measured, predicted)| (measured / t.measured_ms, predicted / t.predicted_ms)).collect(),
        ),
        networks: training().map(|(_, row)| row.network.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        notes,
    }
}
