//! Sums over an engine's layers.

use super::estimate::{Bounds, RowPrediction, Source};
use super::total::{Part, Total};
use crate::model::{Device, Interval};
use serde::Serialize;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Sums over an engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "TotalsDocument")]
pub struct Totals {
    /// Layers, those that launch nothing included.
    pub layers: usize,
    /// Run time of the layers.
    pub runtime: Total<Millis>,
    /// Bounds of it, from networks held out or else from its layers' bounds; none for a lower bound.
    pub runtime_bounds: Option<Bounds>,
    /// Energy of the layers.
    pub energy: Total<Millijoules>,
    /// Bounds of it; none for a lower bound.
    pub energy_bounds: Option<Bounds>,
    /// Bounds of the average power; none if that is not known.
    pub average_power_bounds: Option<Bounds>,
    /// Layers by the source of their run time.
    pub layers_by_source: BTreeMap<&'static str, usize>,
    /// Share of the layers that launch something and whose run time a model predicts, in percent; none if nothing is launched.
    pub layers_modelled_percent: Option<f64>,
    /// Share of the predicted run time that comes from models, in percent; none if no run time is predicted.
    pub runtime_modelled_percent: Option<f64>,
    /// Layers with a feature outside the training range.
    pub layers_outside_training_range: usize,
}

impl Totals {
    /// Sums rows up, each with the type of its layer; bounds are those of the device for whole networks.
    pub(super) fn of<'a>(layers: impl Iterator<Item = (&'a str, &'a RowPrediction)> + Clone, device: &Device) -> Self {
        let rows = || layers.clone().map(|(_, row)| row);
        let launching = || rows().filter(|row| row.runtime_source != Source::Free);
        let modelled = || rows().filter(|row| row.runtime_source == Source::Model);
        let runtime = Total::of(layers.clone().map(|(name, row)| part(name, row, row.runtime_prediction)));
        let energy = Total::of(layers.clone().map(|(name, row)| part(name, row, row.energy_prediction)));
        let modelled_runtime: Millis = modelled().filter_map(|row| row.runtime_prediction).sum();
        let percent = |part: f64, whole: f64| (whole > 0.0).then(|| 100.0 * part / whole);
        let mut by_source: BTreeMap<&'static str, usize> = BTreeMap::new();
        for row in rows() {
            *by_source.entry(row.runtime_source.name()).or_default() += 1;
        }
        let power = average_power(&runtime, &energy);
        Self {
            layers: rows().count(),
            average_power_bounds: power.and_then(|p| Bounds::around(p.0, device.power_total)),
            runtime_bounds: runtime.whole().and_then(|t| {
                let each = rows().map(|row| (row, row.runtime_prediction.map(|t| t.0)));
                bounds(each, t.0, device.runtime_total)
            }),
            energy_bounds: energy.whole().and_then(|e| {
                let each = rows().map(|row| (row, row.energy_prediction.map(|e| e.0)));
                device.energy_total.and_then(|total| bounds(each, e.0, Some(total)))
            }),
            layers_modelled_percent: percent(modelled().count() as f64, launching().count() as f64),
            runtime_modelled_percent: percent(modelled_runtime.0, runtime.at_least().map_or(0.0, |t| t.0)),
            layers_outside_training_range: rows().filter(|row| !row.outside_training_range.is_empty()).count(),
            layers_by_source: by_source,
            runtime,
            energy,
        }
    }

    /// Energy over run time; none if either is not known as a whole.
    #[must_use]
    pub fn average_power(&self) -> Option<Watts> {
        average_power(&self.runtime, &self.energy)
    }
}

/// Bounds of a sum over layers. What models predict has those of whole networks that were held out, as far as there are any.
/// Layers without a model are of kinds that those networks need not contain; they keep their own bounds, and so does every layer
/// where no network was held out. Layers are taken to err together, all high or all low, which makes the sum's bounds the sum of
/// bounds, and the widest; the level is the lowest of all.
fn bounds<'a>(
    layers: impl Iterator<Item = (&'a RowPrediction, Option<f64>)>,
    total: f64,
    held_out: Option<Interval>,
) -> Option<Bounds> {
    let mut sum = Bounds { lower: 0.0, upper: 0.0, level: held_out.map_or(1.0, |interval| interval.level) };
    let mut rest = total;
    for (row, value) in layers.filter(|(row, _)| row.runtime_source != Source::Free) {
        if row.runtime_source == Source::Model && held_out.is_some() {
            continue;
        }
        let (value, runtime) = (value?, row.runtime_prediction?.0);
        let Some(own) = row.runtime_bounds.filter(|_| runtime > 0.0) else {
            if held_out.is_some() {
                continue;
            }
            return None;
        };
        sum.lower += value * own.lower / runtime;
        sum.upper += value * own.upper / runtime;
        sum.level = sum.level.min(own.level);
        rest -= value;
    }
    if let Some(interval) = held_out {
        sum.lower += rest.max(0.0) * interval.lower_ratio;
        sum.upper += rest.max(0.0) * interval.upper_ratio;
    }
    (sum.upper > 0.0).then_some(sum)
}

fn average_power(runtime: &Total<Millis>, energy: &Total<Millijoules>) -> Option<Watts> {
    let runtime = runtime.whole().filter(|runtime| runtime.0 > 0.0)?;
    Some(energy.whole()? / runtime)
}

fn part<'a, U>(layer_type: &'a str, row: &RowPrediction, figure: Option<U>) -> Part<'a, U> {
    Part { layer_type, is_free: row.runtime_source == Source::Free, figure }
}

/// Sums over an engine. A sum that lacks a layer is a lower bound and says so; one of which nothing is known is `null`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Totals)]
pub(super) struct TotalsDocument {
    /// Layers, those that launch nothing included.
    layers: usize,
    /// Run time of all layers, ms; of those that are predicted if `runtime_is_lower_bound`. `null` if none is.
    #[schema(value_type = Option<f64>)]
    runtime_ms: Option<Millis>,
    /// Whether layers without a predicted run time are missing from `runtime_ms`.
    runtime_is_lower_bound: bool,
    /// Layers without a predicted run time, by type.
    runtime_missing: BTreeMap<String, usize>,
    /// Bounds of the run time. `null` for a lower bound.
    runtime_bounds: Option<Bounds>,
    /// Energy of all layers, mJ; of those that are predicted if `energy_is_lower_bound`. `null` if none is.
    #[schema(value_type = Option<f64>)]
    energy_mj: Option<Millijoules>,
    /// Whether layers without a predicted energy are missing from `energy_mj`.
    energy_is_lower_bound: bool,
    /// Layers without a predicted energy, by type.
    energy_missing: BTreeMap<String, usize>,
    /// Bounds of the energy. `null` for a lower bound.
    energy_bounds: Option<Bounds>,
    /// Energy over run time, W. `null` if either is not known as a whole.
    #[schema(value_type = Option<f64>)]
    average_power_w: Option<Watts>,
    /// Bounds of the average power. `null` if that is not known.
    average_power_bounds: Option<Bounds>,
    /// Layers by the source of their run time.
    #[schema(value_type = BTreeMap<String, usize>)]
    layers_by_source: BTreeMap<&'static str, usize>,
    /// Share of the layers that launch something and whose run time a model predicts, in percent. `null` if nothing is
    /// launched.
    layers_modelled_percent: Option<f64>,
    /// Share of the predicted run time that comes from models, in percent. `null` if no run time is predicted.
    runtime_modelled_percent: Option<f64>,
    /// Layers with a feature outside the training range.
    layers_outside_training_range: usize,
}

impl From<Totals> for TotalsDocument {
    fn from(totals: Totals) -> Self {
        Self {
            layers: totals.layers,
            runtime_ms: totals.runtime.at_least(),
            runtime_is_lower_bound: !totals.runtime.is_whole(),
            runtime_missing: totals.runtime.missing().clone(),
            runtime_bounds: totals.runtime_bounds,
            energy_mj: totals.energy.at_least(),
            energy_is_lower_bound: !totals.energy.is_whole(),
            energy_missing: totals.energy.missing().clone(),
            energy_bounds: totals.energy_bounds,
            average_power_w: totals.average_power(),
            average_power_bounds: totals.average_power_bounds,
            layers_by_source: totals.layers_by_source,
            layers_modelled_percent: totals.layers_modelled_percent,
            runtime_modelled_percent: totals.runtime_modelled_percent,
            layers_outside_training_range: totals.layers_outside_training_range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(source: Source, value: f64, ratio: Option<f64>) -> RowPrediction {
        let bounds = ratio.map(|ratio| Bounds { lower: value / ratio, upper: value * ratio, level: 0.6 });
        RowPrediction {
            runtime_prediction: Some(Millis(value)),
            runtime_bounds: bounds,
            runtime_source: source,
            ..RowPrediction::free()
        }
    }

    fn of(rows: &[RowPrediction], held_out: Option<Interval>) -> Option<(f64, f64, f64)> {
        let total = rows.iter().filter_map(|row| row.runtime_prediction).map(|t| t.0).sum();
        let each = rows.iter().map(|row| (row, row.runtime_prediction.map(|t| t.0)));
        bounds(each, total, held_out).map(|b| (b.lower, b.upper, b.level))
    }

    #[test]
    fn bounds_of_a_total_are_those_of_its_layers_where_no_network_was_held_out() {
        let rows = [row(Source::Model, 4.0, Some(2.0)), row(Source::Roofline, 1.0, Some(4.0)), RowPrediction::free()];
        assert_eq!(of(&rows, None), Some((2.25, 12.0, 0.6)));
        assert_eq!(of(&[row(Source::Model, 4.0, None), row(Source::Roofline, 1.0, Some(4.0))], None), None);
    }

    #[test]
    fn layers_without_a_model_keep_their_bounds_beside_those_of_networks() {
        let networks = Interval { level: 0.9, lower_ratio: 0.5, upper_ratio: 2.0, rows: 10, networks: 10 };
        let rows = [row(Source::Model, 4.0, Some(9.0)), row(Source::Roofline, 1.0, Some(4.0))];
        assert_eq!(of(&rows, Some(networks)), Some((2.25, 12.0, 0.6)));
        let modelled = [row(Source::Model, 4.0, None)];
        assert_eq!(of(&modelled, Some(networks)), Some((2.0, 8.0, 0.9)));
        // A roofline without bounds, as those of older files: the networks' bounds stand for all.
        let old = [row(Source::Model, 4.0, None), row(Source::Roofline, 1.0, None)];
        assert_eq!(of(&old, Some(networks)), Some((2.5, 10.0, 0.9)));
    }
}
