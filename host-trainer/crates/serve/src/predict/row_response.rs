//! The response to rows of features.

use super::format::ResponseFormat;
use super::response::{PredictResponse, PredictedBy};
use crate::error::ApiError;
use crate::models::DeployedModels;
use learn::predict::{ROW_CSV_COLUMNS, RowPrediction, SCHEMA_VERSION, row_csv_fields};
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
        writer.write_record(ROW_CSV_COLUMNS).map_err(|_| ApiError::internal())?;
        rows.iter().try_for_each(|row| writer.write_record(row_csv_fields(row)).map_err(|_| ApiError::internal()))
    })
}
