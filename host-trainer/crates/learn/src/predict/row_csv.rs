//! The CSV columns of a layer's prediction.

use super::estimate::{Bounds, RowPrediction};

/// The CSV columns of a [`RowPrediction`], in order.
pub const ROW_CSV_COLUMNS: [&str; 10] = [
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
];

/// The CSV fields of a prediction, in the order of [`ROW_CSV_COLUMNS`]; an unknown number is an empty field.
#[must_use]
pub fn row_csv_fields(row: &RowPrediction) -> [String; ROW_CSV_COLUMNS.len()] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let lower = |bounds: Option<Bounds>| number(bounds.map(|b| b.lower));
    let upper = |bounds: Option<Bounds>| number(bounds.map(|b| b.upper));
    [
        number(row.power_prediction.map(|p| p.0)),
        number(row.runtime_prediction.map(|t| t.0)),
        number(row.energy_prediction.map(|e| e.0)),
        lower(row.power_bounds),
        upper(row.power_bounds),
        lower(row.runtime_bounds),
        upper(row.runtime_bounds),
        row.runtime_source.name().to_owned(),
        row.power_source.name().to_owned(),
        row.outside_training_range.join(" "),
    ]
}
