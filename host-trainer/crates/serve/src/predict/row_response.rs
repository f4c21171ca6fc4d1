//! The response to rows of features.

use super::format::ResponseFormat;
use super::response::{PredictResponse, PredictedBy};
use crate::error::ApiError;
use crate::models::DeployedModels;
use learn::predict::{RowPrediction, SCHEMA_VERSION};
use serde::Serialize;
use shared::engine::Table;
use utoipa::ToSchema;

/// The response to rows.
#[derive(Serialize, ToSchema)]
pub(crate) struct RowsDocument<'a> {
    schema_version: u32,
    /// The device predicted.
    device: &'a str,
    /// The layer kind of the rows.
    layer_kind: &'static str,
    /// One prediction per row, in the order of the request.
    rows: &'a [RowPrediction],
    #[serde(flatten)]
    predicted_by: PredictedBy<'a>,
}

const HEADER: [&str; 10] = [
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

/// The response to rows of a layer kind.
///
/// # Errors
/// A document that cannot be written.
pub(super) fn rows_response(
    models: &DeployedModels,
    generation: u64,
    table: Table,
    rows: &[RowPrediction],
    format: ResponseFormat,
) -> Result<PredictResponse, ApiError> {
    if format == ResponseFormat::Json {
        let document = RowsDocument {
            schema_version: SCHEMA_VERSION,
            device: models.device(),
            layer_kind: table.name(),
            rows,
            predicted_by: PredictedBy::new(models, generation),
        };
        return PredictResponse::json(&document, rows.len());
    }
    PredictResponse::csv(rows.len(), |writer| {
        writer.write_record(HEADER).map_err(|_| ApiError::internal())?;
        rows.iter().try_for_each(|row| writer.write_record(record(row)).map_err(|_| ApiError::internal()))
    })
}

fn record(row: &RowPrediction) -> [String; HEADER.len()] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    [
        number(row.power_prediction.map(|p| p.0)),
        number(row.runtime_prediction.map(|t| t.0)),
        number(row.energy_prediction.map(|e| e.0)),
        number(row.power_bounds.map(|b| b.lower)),
        number(row.power_bounds.map(|b| b.upper)),
        number(row.runtime_bounds.map(|b| b.lower)),
        number(row.runtime_bounds.map(|b| b.upper)),
        row.runtime_source.name().to_owned(),
        row.power_source.name().to_owned(),
        row.outside_training_range.join(" "),
    ]
}
