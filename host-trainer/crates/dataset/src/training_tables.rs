//! Rows of the training tables.

use super::options::Options;
use super::outcome::LeftOut;
use super::text::filled;
use align::statistics::{LayerStatistics, Summary};
use learn::features::columns::csv_header;
use learn::features::{Extraction, LayerSpec, extract};
use shared::engine::{Engine, Precision, Table};
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;
use tables::{ColumnData, write_table};

/// A row of a training table.
#[derive(Debug)]
pub(crate) struct TrainingRow {
    spec: LayerSpec,
    layer: String,
    power: Option<f64>,
    runtime: Option<f64>,
}

/// The rows of every table that has any, and the layers that have none. A layer needs enough measurements of run time, and of
/// power too where the run has any of that power: a run that was only timed makes rows without power.
pub(crate) fn rows(
    measured: &[LayerStatistics],
    engine: &Engine,
    options: &Options,
) -> (BTreeMap<Table, Vec<TrainingRow>>, Vec<LeftOut>) {
    let mut tables: BTreeMap<Table, Vec<TrainingRow>> = BTreeMap::new();
    let mut left_out = Vec::new();
    let has_power = measured.iter().any(|layer| options.power.of(layer).count > 0);
    for layer in measured {
        let mut leave = |why: String, thin: bool| left_out.push(LeftOut { layer: layer.name.clone(), why, thin });
        let power: &Summary = options.power.of(layer);
        let Some(engine_layer) = layer.engine_index.and_then(|i| engine.layers.get(i)) else {
            leave("the engine info does not list it".into(), false);
            continue;
        };
        let how = Extraction { reference_compatible: options.reference_compatible };
        let spec = match extract(engine_layer, how) {
            Ok(spec) => spec,
            Err(why) => {
                leave(why.to_string(), false);
                continue;
            }
        };
        let needed = options.per_layer_measurements;
        if layer.runtime.count < needed || (has_power && power.count < needed) {
            leave(
                format!(
                    "has {} measurements of power and {} of run time, and {needed} are needed",
                    power.count, layer.runtime.count
                ),
                true,
            );
            continue;
        }
        let row = TrainingRow { power: power.mean, runtime: layer.runtime.mean, ..TrainingRow::new(spec, &layer.name) };
        tables.entry(spec.table()).or_default().push(row);
    }
    (tables, left_out)
}

impl TrainingRow {
    /// A layer of which nothing was measured.
    fn new(spec: LayerSpec, layer: &str) -> Self {
        Self { spec, layer: layer.to_owned(), power: None, runtime: None }
    }
}

/// The rows of an engine of which nothing but the whole was measured, and the layers that have none.
pub(crate) fn unmeasured(engine: &Engine) -> (BTreeMap<Table, Vec<TrainingRow>>, Vec<LeftOut>) {
    let mut tables: BTreeMap<Table, Vec<TrainingRow>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for layer in &engine.layers {
        match extract(layer, Extraction::default()) {
            Ok(spec) => tables.entry(spec.table()).or_default().push(TrainingRow::new(spec, &layer.name)),
            Err(why) => left_out.push(LeftOut { layer: layer.name.clone(), why: why.to_string(), thin: false }),
        }
    }
    (tables, left_out)
}

/// Writes a training table in the format of the file's name.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(path: &Path, table: Table, rows: &[TrainingRow], device: &str) -> Result<(), Failure> {
    let columns = csv_header(table).into_iter().map(|column| {
        let data = match column {
            "power" => ColumnData::Numbers(rows.iter().map(|row| row.power).collect()),
            "runtime" => ColumnData::Numbers(rows.iter().map(|row| row.runtime).collect()),
            "layer_name" => ColumnData::Texts(rows.iter().map(|row| filled(&row.layer)).collect()),
            "precision" => ColumnData::Texts(rows.iter().map(|row| row.spec.precision.map(Precision::name)).collect()),
            "device" => ColumnData::Texts(vec![filled(device); rows.len()]),
            size => sizes(size, rows),
        };
        (column, data)
    });
    write_table(path, columns.collect())
}

/// A stored column of the rows: whole numbers, unless one of them is not.
fn sizes<'a>(column: &str, rows: &[TrainingRow]) -> ColumnData<'a> {
    let value = |row: &TrainingRow| {
        let stored = row.spec.stored();
        stored.iter().find(|(name, _)| *name == column).map(|(_, value)| *value).filter(|value| value.is_finite())
    };
    let values: Vec<Option<f64>> = rows.iter().map(value).collect();
    // Beyond 2⁵³, numbers are not told apart by their last digits.
    let whole = |value: &f64| value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    if values.iter().flatten().all(whole) {
        ColumnData::Integers(values.into_iter().map(|value| value.map(|value| value as i64)).collect())
    } else {
        ColumnData::Numbers(values)
    }
}
