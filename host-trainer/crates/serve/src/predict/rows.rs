//! Reading rows of features from the body of a request. The columns are those of the training tables.

use crate::error::ApiError;
use crate::settings::Limits;
use learn::features::LayerSpec;
use learn::features::columns::{StoredColumn, stored_columns};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::engine::{Precision, Table};
use utoipa::ToSchema;

/// The column that holds a word instead of a number.
const PRECISION: &str = "precision";

/// Rows of the features of one layer kind:
/// `{"layer_kind": "dense", "rows": [{"batch_size": 1, "input_size": 512, "output_size": 1000, "precision": "fp16"}]}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsBody {
    /// The device [default: the default device].
    device: Option<String>,
    /// `convolutional`, `pooling`, `dense` or another kind that has a training table.
    layer_kind: String,
    /// The rows. Members are columns of the training table of the kind; all are numbers but `precision`.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Map<String, Value>>,
}

/// The rows of a request, all of one layer kind.
#[derive(Debug)]
pub(super) struct RowRequest {
    pub(super) device: Option<String>,
    pub(super) table: Table,
    pub(super) layers: Vec<LayerSpec>,
}

/// Reads a body of rows.
///
/// # Errors
/// A body of another form, or a row with a missing, unknown or ill-typed column.
pub(super) fn read(body: &[u8], limits: &Limits) -> Result<RowRequest, ApiError> {
    let document: RowsBody = serde_json::from_slice(body).map_err(|e| {
        ApiError::unprocessable("bad_rows", format!("the body is no document of rows: {e}"))
            .place(format!("line {}, column {}", e.line(), e.column()))
            .help("send {\"layer_kind\": …, \"rows\": [{COLUMN: NUMBER, …}, …]}")
    })?;
    let table = Table::from_name(&document.layer_kind).ok_or_else(|| {
        let kinds = Table::ALL.map(Table::name).join(", ");
        ApiError::unprocessable("bad_rows", "there is no such layer kind")
            .place("layer_kind")
            .help(format!("layer kinds are {kinds}"))
    })?;
    if document.rows.len() > limits.layers {
        let (rows, most) = (document.rows.len(), limits.layers);
        return Err(ApiError::too_large(format!("there are {rows} rows, more than the {most} that are predicted")));
    }
    let layer = |(index, row): (usize, &Map<String, Value>)| {
        layer(table, row).map_err(|(column, message)| {
            ApiError::unprocessable("bad_rows", message).place(format!("rows[{index}].{column}"))
        })
    };
    let layers = document.rows.iter().enumerate().map(layer).collect::<Result<_, _>>()?;
    Ok(RowRequest { device: document.device, table, layers })
}

/// A row's layer, or the column that is wrong and what is.
fn layer(table: Table, row: &Map<String, Value>) -> Result<LayerSpec, (String, String)> {
    let columns = stored_columns(table);
    let known = || columns.iter().map(|column| column.name).chain([PRECISION]);
    if let Some(unknown) = row.keys().find(|key| !known().any(|name| name == key.as_str())) {
        let near = known().max_by(|a, b| strsim::jaro(unknown, a).total_cmp(&strsim::jaro(unknown, b)));
        let name: String = unknown.chars().take(40).collect();
        let message = format!("is no column of {} layers; did you mean `{}`?", table.name(), near.unwrap_or_default());
        return Err((name, message));
    }
    let number = |column: &StoredColumn| match row.get(column.name) {
        Some(value) => value
            .as_f64()
            .filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| (column.name.to_owned(), "is not a number of 0 or more".to_owned())),
        None => column.absent.ok_or_else(|| (column.name.to_owned(), "is missing".to_owned())),
    };
    let layer = LayerSpec::from_columns(table, None, number)?;
    let precision = match row.get(PRECISION) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let word = value.as_str().and_then(Precision::from_words);
            Some(word.ok_or_else(|| (PRECISION.to_owned(), "is no number format, such as fp16".to_owned()))?)
        }
    };
    Ok(LayerSpec { precision, ..layer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::features::{DenseShape, LayerShape};

    fn refused(body: &str) -> (String, String) {
        let error = read(body.as_bytes(), &Limits::default()).expect_err(body);
        (error.place.unwrap_or_default(), error.message)
    }

    #[test]
    fn rows_take_the_columns_of_their_table() {
        let body = r#"{"layer_kind": "dense", "device": "x", "rows": [
            {"batch_size": 1, "input_size": 512, "output_size": 1000, "precision": "fp16"}]}"#;
        let rows = read(body.as_bytes(), &Limits::default()).expect("rows");
        assert_eq!((rows.device.as_deref(), rows.table, rows.layers.len()), (Some("x"), Table::Dense, 1));
        let shape = LayerShape::Dense(DenseShape { batch: 1.0, input: 512.0, output: 1000.0, weights: None });
        assert_eq!(rows.layers[0], LayerSpec { shape, precision: Some(Precision::Fp16) });
    }

    #[test]
    fn a_wrong_row_is_named_with_its_column() {
        let row = |row: &str| format!(r#"{{"layer_kind": "dense", "rows": [{row}]}}"#);
        assert_eq!(refused(&row(r#"{"batch_size": 1, "input_size": 2}"#)).0, "rows[0].output_size");
        let (place, message) = refused(&row(r#"{"batch_sizes": 1}"#));
        assert_eq!(place, "rows[0].batch_sizes");
        assert!(message.contains("`batch_size`"), "{message}");
        assert_eq!(refused(&row(r#"{"batch_size": "1"}"#)).0, "rows[0].batch_size");
        let wrong = r#"{"batch_size": 1, "input_size": 2, "output_size": 2, "precision": "fp17"}"#;
        assert_eq!(refused(&row(wrong)).0, "rows[0].precision");
        assert_eq!(refused(r#"{"layer_kind": "../dense", "rows": []}"#).0, "layer_kind");
        assert_eq!(refused(r#"{"layer_kind": "dense", "rows": [], "x": 1}"#).0, "line 1, column 39");
    }
}
