//! Judges a folder of models on a folder of data: layer kind by layer kind, and whole networks.

use super::{Pair, Pairs, pairs};
use crate::fit::train::Outcome;
use crate::predict::{Models, Source};
use crate::training::TrainingData;
use estimators::metrics::Metrics;
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeMap;

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
struct Sample {
    measured: Vec<f64>,
    predicted: Vec<f64>,
    inside: Vec<bool>,
    without_model: usize,
}

impl Sample {
    fn push(&mut self, measured: f64, predicted: f64, held: Option<bool>, source: Source) {
        self.measured.push(measured);
        self.predicted.push(predicted);
        self.inside.extend(held);
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
struct Ledger {
    entries: BTreeMap<(Option<Table>, Judged), BTreeMap<String, Sample>>,
}

impl Ledger {
    fn entry(&mut self, table: Option<Table>, target: Judged, network: &str) -> &mut Sample {
        self.entries.entry((table, target)).or_default().entry(network.to_owned()).or_default()
    }

    /// A line a layer kind and target, and one for each of its networks besides if wanted.
    fn lines(self, by_network: bool) -> Vec<Line> {
        let position = |table: Option<Table>| Table::ALL.iter().position(|t| Some(*t) == table).unwrap_or(usize::MAX);
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        entries.sort_by_key(|((table, target), _)| (position(*table), *target));
        let mut lines = Vec::new();
        for ((table, target), networks) in entries {
            let kind = table.map_or("network", Table::name);
            let mut all = Sample::default();
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
    let Pairs { pairs, notes } = pairs(models, data, in_data)?;
    Ok(Judgement { lines: lines(&pairs, by_network), notes })
}

/// The lines that measurements with their predictions come to.
#[must_use]
pub fn lines(pairs: &[Pair], by_network: bool) -> Vec<Line> {
    let mut ledger = Ledger::default();
    for pair in pairs {
        let entry = ledger.entry(pair.table, pair.target, &pair.network);
        entry.push(pair.measured, pair.predicted, pair.held(), pair.source);
    }
    ledger.lines(by_network)
}
