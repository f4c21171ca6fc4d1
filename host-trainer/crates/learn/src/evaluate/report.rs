//! Evaluates a folder of models on a folder of data: layer kind by layer kind, and whole networks.

use super::baselines::Baselines;
use super::measurand::Measurand;
use super::pairs::{Pair, Pairs, pairs};
use crate::fit::train::Outcome;
use crate::predict::{Models, Source};
use crate::training::TrainingData;
use estimators::metrics::Metrics;
use serde::Serialize;
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeMap;

/// One row of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationRow {
    /// A layer kind, or `network`.
    pub kind: &'static str,
    /// What was measured.
    pub target: Measurand,
    /// The network, where each is evaluated by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// How far predictions are off.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Share of the measurements that lie within their 90 % intervals, in percent; none where no prediction has one.
    pub interval_90_coverage_percent: Option<f64>,
    /// Predictions that came from no model but from the device's roofline or median power.
    pub without_model: usize,
    /// How far simple kinds are off, by their names: fitted on these data by cross-validation over networks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<&'static str, Metrics>,
}

/// An evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evaluation {
    /// Its rows, layer kinds first.
    pub rows: Vec<EvaluationRow>,
    /// What could not be evaluated, in sentences for people.
    pub notes: Vec<String>,
}

/// Measurements with their predictions.
#[derive(Debug, Default)]
struct Group {
    measured: Vec<f64>,
    predicted: Vec<f64>,
    inside: Vec<bool>,
    without_model: usize,
    /// Measured and predicted values of each baseline kind.
    baselines: BTreeMap<&'static str, (Vec<f64>, Vec<f64>)>,
}

impl Group {
    fn push(&mut self, measured: f64, predicted: f64, baselines: &[(&'static str, f64)]) {
        self.measured.push(measured);
        self.predicted.push(predicted);
        for (kind, value) in baselines {
            let of_kind = self.baselines.entry(kind).or_default();
            of_kind.0.push(measured);
            of_kind.1.push(*value);
        }
    }

    fn extend(&mut self, other: Self) {
        self.measured.extend(other.measured);
        self.predicted.extend(other.predicted);
        self.inside.extend(other.inside);
        self.without_model += other.without_model;
        for (kind, (measured, predicted)) in other.baselines {
            let of_kind = self.baselines.entry(kind).or_default();
            of_kind.0.extend(measured);
            of_kind.1.extend(predicted);
        }
    }

    fn row(&self, kind: &'static str, target: Measurand, network: Option<String>) -> EvaluationRow {
        let inside = self.inside.iter().filter(|inside| **inside).count();
        EvaluationRow {
            kind,
            target,
            network,
            metrics: Metrics::of(&self.measured, &self.predicted),
            interval_90_coverage_percent: (!self.inside.is_empty())
                .then(|| 100.0 * inside as f64 / self.inside.len() as f64),
            without_model: self.without_model,
            baselines: self.baselines.iter().map(|(kind, (y, p))| (*kind, Metrics::of(y, p))).collect(),
        }
    }
}

/// Pairs by layer kind (none: networks), quantity and network.
#[derive(Debug, Default)]
struct Groups(BTreeMap<(Option<Table>, Measurand), BTreeMap<String, Group>>);

impl Groups {
    fn entry(&mut self, table: Option<Table>, target: Measurand, network: &str) -> &mut Group {
        self.0.entry((table, target)).or_default().entry(network.to_owned()).or_default()
    }

    /// A row for each layer kind and quantity, and one for each of its networks besides if wanted.
    fn rows(self, by_network: bool) -> Vec<EvaluationRow> {
        let position = |table: Option<Table>| Table::ALL.iter().position(|t| Some(*t) == table).unwrap_or(usize::MAX);
        let mut groups: Vec<_> = self.0.into_iter().collect();
        groups.sort_by_key(|((table, target), _)| (position(*table), *target));
        let mut rows = Vec::new();
        for ((table, target), networks) in groups {
            let kind = table.map_or("network", Table::name);
            let mut all = Group::default();
            let mut each = Vec::new();
            for (network, group) in networks {
                each.push(group.row(kind, target, Some(network)));
                all.extend(group);
            }
            rows.push(all.row(kind, target, None));
            if by_network {
                rows.extend(each);
            }
        }
        rows
    }
}

/// Evaluates what a fit predicted of networks that its models had not seen.
#[must_use]
pub fn evaluate_held_out(
    data: &TrainingData,
    outcome: &Outcome,
    by_network: bool,
    baselines: &Baselines,
) -> Evaluation {
    let mut groups = Groups::default();
    for layer in &outcome.unseen {
        let row = &data.tables[&layer.table][layer.number];
        let energy = layer.power_w.zip(layer.runtime_ms).map(|(p, t)| p * t);
        let measured_energy = row.power.zip(row.runtime).map(|(p, t)| (p * t).0);
        for (target, measured, predicted) in [
            (Measurand::Power, row.power.map(|p| p.0), layer.power_w),
            (Measurand::Runtime, row.runtime.map(|t| t.0), layer.runtime_ms),
            (Measurand::Energy, measured_energy, energy),
        ] {
            if let (Some(measured), Some(predicted)) = (measured, predicted) {
                let simple = baselines.of_layer(&(layer.table, layer.number), target);
                groups.entry(Some(layer.table), target, &row.network).push(measured, predicted, &simple);
            }
        }
    }
    for total in &outcome.totals {
        let mut push = |target, measured, predicted| {
            let simple = baselines.of_network(&total.layers, target);
            groups.entry(None, target, &total.network).push(measured, predicted, &simple);
        };
        push(Measurand::Runtime, total.measured_ms, total.predicted_ms);
        if let (Some(measured), Some(predicted)) = (total.measured_mj, total.predicted_mj) {
            push(Measurand::Energy, measured, predicted);
            push(Measurand::Power, measured / total.measured_ms, predicted / total.predicted_ms);
        }
    }
    Evaluation { rows: groups.rows(by_network), notes: Vec::new() }
}

/// Evaluates models on the rows and totals of their device.
///
/// # Errors
/// A model that cannot be loaded or run, or data without anything measured.
pub fn evaluate(
    models: &Models,
    data: &TrainingData,
    in_data: &str,
    by_network: bool,
    baselines: &Baselines,
) -> Result<Evaluation, Failure> {
    let Pairs { pairs, notes } = pairs(models, data, in_data, baselines)?;
    Ok(Evaluation { rows: evaluation_rows(&pairs, by_network), notes })
}

/// The figures of measurements with their predictions.
#[must_use]
pub fn evaluation_rows(pairs: &[Pair], by_network: bool) -> Vec<EvaluationRow> {
    let mut groups = Groups::default();
    for pair in pairs {
        let group = groups.entry(pair.table, pair.target, &pair.network);
        group.push(pair.measured, pair.predicted, &pair.baselines);
        group.inside.extend(pair.is_inside());
        group.without_model += usize::from(pair.source != Source::Model);
    }
    groups.rows(by_network)
}
