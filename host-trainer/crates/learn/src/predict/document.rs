//! A prediction as data: the JSON document and the CSV rows that every way of asking for it gives.

use super::engine::{LayerPrediction, Prediction};
use super::estimate::Bounds;
use serde::Serialize;

/// The JSON document's own version.
pub const SCHEMA_VERSION: u32 = 1;

/// One engine's answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The engine's file or name.
    pub engine: &'a str,
    /// The prediction.
    #[serde(flatten)]
    pub prediction: &'a Prediction,
}

/// Columns of the prediction CSV: the reference's first, then ours.
pub const CSV_HEADER: [&str; 14] = [
    "layer_name",
    "layer_type",
    "power_prediction",
    "runtime_prediction",
    "energy_prediction",
    "power_lower",
    "power_upper",
    "runtime_lower",
    "runtime_upper",
    "source",
    "power_source",
    "outside_training_range",
    "kind",
    "index",
];

/// A layer's row of the prediction CSV.
#[must_use]
pub fn csv_record(layer: &LayerPrediction) -> Vec<String> {
    let row = &layer.row;
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let bounds = |b: Option<Bounds>| [number(b.map(|b| b.lower)), number(b.map(|b| b.upper))];
    let [power_lower, power_upper] = bounds(row.power_bounds);
    let [runtime_lower, runtime_upper] = bounds(row.runtime_bounds);
    let kind = serde_json::to_value(layer.kind).ok().and_then(|v| v.as_str().map(str::to_owned));
    vec![
        layer.layer_name.clone(),
        layer.layer_type.clone(),
        number(row.power_prediction.map(|p| p.0)),
        number(row.runtime_prediction.map(|t| t.0)),
        number(row.energy_prediction.map(|e| e.0)),
        power_lower,
        power_upper,
        runtime_lower,
        runtime_upper,
        row.runtime_source.name().to_owned(),
        row.power_source.name().to_owned(),
        row.outside_training_range.join(" "),
        kind.unwrap_or_default(),
        layer.index.to_string(),
    ]
}
