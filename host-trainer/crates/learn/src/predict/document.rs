//! A prediction as data: the JSON document and the CSV rows that every way of asking for it gives.

use super::engine::{LayerPrediction, Prediction};
use super::footprint::Footprint;
use super::row_csv::{ROW_CSV_COLUMNS, row_csv_fields};
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
    /// What the totals come to over many inferences, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footprint: Option<Footprint>,
}

/// Columns of the prediction CSV: EdgeProfiler's first, then ours.
pub const CSV_HEADER: [&str; ROW_CSV_COLUMNS.len() + 4] = {
    let mut header = ["layer_name"; ROW_CSV_COLUMNS.len() + 4];
    header[1] = "layer_type";
    let mut column = 0;
    while column < ROW_CSV_COLUMNS.len() {
        header[2 + column] = ROW_CSV_COLUMNS[column];
        column += 1;
    }
    header[2 + column] = "kind";
    header[3 + column] = "index";
    header
};

/// A layer's row of the prediction CSV, in the order of [`CSV_HEADER`].
#[must_use]
pub fn csv_record(layer: &LayerPrediction) -> Vec<String> {
    let kind = serde_json::to_value(layer.kind).ok().and_then(|v| v.as_str().map(str::to_owned));
    let mut record = vec![layer.layer_name.clone(), layer.layer_type.clone()];
    record.extend(row_csv_fields(&layer.row));
    record.extend([kind.unwrap_or_default(), layer.index.to_string()]);
    record
}

#[cfg(test)]
mod tests {
    use super::CSV_HEADER;

    #[test]
    fn the_header_is_the_one_of_the_file_format() {
        assert_eq!(
            CSV_HEADER.join(","),
            "layer_name,layer_type,power_prediction,runtime_prediction,energy_prediction,power_lower,power_upper,\
             runtime_lower,runtime_upper,source,power_source,outside_training_range,kind,index"
        );
    }
}
