//! What changes from one side to the other: the sides in short, and groups of layers.

use crate::matching::{Group, MatchedBy};
use crate::side::{Origin, Side, SideLayer};
use learn::predict::{Bounds, Part as TotalPart, Total};
use serde::Serialize;
use shared::engine::Precision;
use shared::units::{Millijoules, Millis};
use std::collections::BTreeMap;
use std::iter::Sum;

/// A side in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideSummary {
    /// Its name.
    pub name: String,
    /// The device of the models that predicted it; `null` where it was measured.
    pub predicted_for: Option<String>,
    /// Layers that launch something.
    pub layers: usize,
    /// Run time of all layers, ms; of those with a run time if `runtime_is_lower_bound`.
    pub runtime_ms: Option<f64>,
    /// Whether layers without a run time are missing.
    pub runtime_is_lower_bound: bool,
    /// Bounds of the run time.
    pub runtime_bounds: Option<Bounds>,
    /// Energy of all layers, mJ; of those with an energy if `energy_is_lower_bound`.
    pub energy_mj: Option<f64>,
    /// Whether layers without an energy are missing.
    pub energy_is_lower_bound: bool,
    /// Bounds of the energy.
    pub energy_bounds: Option<Bounds>,
    /// Energy over run time, W.
    pub average_power_w: Option<f64>,
    /// Layers that convert layouts or number formats.
    pub conversions: usize,
    /// Their run time, ms; `null` if one has none.
    pub conversions_ms: Option<f64>,
    /// Convolutions and matrix products by the number format that they compute in.
    pub multiplying_layers: BTreeMap<Precision, usize>,
}

/// One side of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Names of the layers, in execution order.
    pub layers: Vec<String>,
    /// Their run time, ms, with that of conversions added for them; `null` if one has none.
    pub runtime_ms: Option<f64>,
    /// Their energy, mJ.
    pub energy_mj: Option<f64>,
    /// Energy over run time, W.
    pub power_w: Option<f64>,
    /// Number formats that they compute in.
    pub precision: Vec<Precision>,
    /// Number of weights; `null` if no layer states any.
    pub weights: Option<u64>,
    /// Dimensions of the last layer's output; empty if unknown.
    pub output: Vec<i64>,
    /// Conversions added for them.
    pub conversions: usize,
    /// Run time of those, ms.
    pub conversions_ms: Option<f64>,
    /// Whether they multiply by weights: convolutions and matrix products.
    pub multiplies: bool,
    /// Whether a figure is extrapolated: a layer lies outside the training range.
    pub outside_training_range: bool,
}

/// Layers of both sides that together contain the same operators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupChange {
    /// A name for it: its first layer that multiplies, else its first layer, by that layer's first operator.
    pub name: String,
    /// Operators on either side.
    pub operators: Vec<String>,
    /// How they were found to go together.
    pub matched_by: MatchedBy,
    /// The first side's layers.
    pub a: Option<Part>,
    /// The second side's layers.
    pub b: Option<Part>,
    /// Change of the run time from the first to the second side, ms. What only one side has counts as nothing on the other.
    pub runtime_change_ms: Option<f64>,
    /// Change of the energy, mJ.
    pub energy_change_mj: Option<f64>,
}

fn sum<'a, U: Copy + Sum<U>>(
    layers: impl IntoIterator<Item = &'a SideLayer>,
    figure: impl Fn(&SideLayer) -> Option<U>,
) -> Option<U> {
    let part = |layer: &'a SideLayer| TotalPart {
        layer_type: layer.layer_type.as_str(),
        is_free: layer.is_free,
        figure: figure(layer),
    };
    Total::of(layers.into_iter().map(part)).whole()
}

/// A side in short.
pub(crate) fn summary(side: &Side) -> SideSummary {
    let conversions = || side.layers.iter().filter(|layer| layer.is_conversion());
    let mut multiplying: BTreeMap<Precision, usize> = BTreeMap::new();
    for precision in side.layers.iter().filter(|layer| layer.is_weighted()).filter_map(|layer| layer.precision) {
        *multiplying.entry(precision).or_default() += 1;
    }
    let (runtime, energy) = (side.runtime(), side.energy());
    SideSummary {
        name: side.name.clone(),
        predicted_for: match &side.origin {
            Origin::Predicted { device } => Some(device.clone()),
            Origin::Measured => None,
        },
        layers: side.layers.iter().filter(|layer| !layer.is_free).count(),
        runtime_ms: runtime.at_least().map(|t| t.0),
        runtime_is_lower_bound: !runtime.is_whole(),
        runtime_bounds: side.runtime_bounds,
        energy_mj: energy.at_least().map(|e| e.0),
        energy_is_lower_bound: !energy.is_whole(),
        energy_bounds: side.energy_bounds,
        average_power_w: side.average_power().map(|p| p.0),
        conversions: conversions().count(),
        conversions_ms: sum(conversions(), |layer| layer.runtime).map(|t: Millis| t.0),
        multiplying_layers: multiplying,
    }
}

fn part(side: &Side, work: &[usize], conversions: &[usize]) -> Option<Part> {
    if work.is_empty() && conversions.is_empty() {
        return None;
    }
    let of = |places: &[usize]| -> Vec<&SideLayer> { places.iter().filter_map(|&i| side.layers.get(i)).collect() };
    let (layers, added) = (of(work), of(conversions));
    let all = || layers.iter().chain(&added).copied();
    let (runtime, energy) = (sum(all(), |l| l.runtime), sum(all(), |l| l.energy));
    let mut precision: Vec<Precision> = layers.iter().filter_map(|layer| layer.precision).collect();
    precision.sort_unstable();
    precision.dedup();
    let named = if layers.is_empty() { &added } else { &layers };
    Some(Part {
        layers: named.iter().map(|layer| layer.name.clone()).collect(),
        runtime_ms: runtime.map(|t: Millis| t.0),
        energy_mj: energy.map(|e: Millijoules| e.0),
        power_w: runtime.zip(energy).filter(|(t, _)| t.0 > 0.0).map(|(t, e)| (e / t).0),
        precision,
        weights: layers.iter().filter_map(|layer| layer.weights).reduce(u64::saturating_add),
        output: layers.last().map(|layer| layer.output.clone()).unwrap_or_default(),
        conversions: added.len(),
        conversions_ms: sum(added.iter().copied(), |l| l.runtime).map(|t: Millis| t.0),
        multiplies: layers.iter().any(|layer| layer.is_weighted()),
        outside_training_range: all().any(|layer| layer.outside_training_range),
    })
}

/// The change of a group.
pub(crate) fn change(group: &Group, a: &Side, b: &Side) -> GroupChange {
    let layers = || {
        let of = |side: &'_ Side, places: &[usize]| -> Vec<SideLayer> {
            places.iter().filter_map(|&i| side.layers.get(i)).cloned().collect()
        };
        let mut layers = of(a, &group.a);
        layers.extend(of(b, &group.b));
        layers
    };
    let layers = layers();
    let mut operators: Vec<String> = Vec::new();
    for operator in layers.iter().flat_map(|layer| &layer.operators) {
        if !operators.contains(operator) {
            operators.push(operator.clone());
        }
    }
    let parts = (part(a, &group.a, &group.conversions_a), part(b, &group.b, &group.conversions_b));
    let main = layers.iter().find(|layer| layer.is_weighted()).or_else(|| layers.first());
    let name = match main {
        Some(layer) => layer.operators.first().unwrap_or(&layer.name).clone(),
        None => "conversions".to_owned(),
    };
    let difference = |figure: fn(&Part) -> Option<f64>| {
        let of = |part: &Option<Part>| part.as_ref().map_or(Some(0.0), figure);
        Some(of(&parts.1)? - of(&parts.0)?)
    };
    GroupChange {
        name,
        operators,
        matched_by: group.by,
        runtime_change_ms: difference(|part| part.runtime_ms),
        energy_change_mj: difference(|part| part.energy_mj),
        a: parts.0,
        b: parts.1,
    }
}
