//! Data sets of measured layers.

use crate::features::Column;
use crate::model::{Dataset, LayerTable, Target};
use crate::training::Row;
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet};

/// The measured value of a row, W or ms.
pub(crate) fn measured(row: &Row, target: Target) -> Option<f64> {
    match target {
        Target::Power => row.power.map(|p| p.0),
        Target::Runtime => row.runtime.map(|t| t.0),
    }
}

/// The data set of some rows of one table. Networks are numbered in the order of their names.
pub(crate) fn layer_dataset(table: Table, target: Target, features: &[String], rows: &[&Row]) -> Dataset {
    let columns: Vec<Column> = features.iter().filter_map(|name| Column::resolve(table, name)).collect();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.network.as_str()).collect();
    let numbers: BTreeMap<&str, usize> = names.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    let mut layers = LayerTable::new(table, features.to_vec());
    layers.rows = rows.iter().flat_map(|row| columns.iter().map(|column| column.value(&row.spec))).collect();
    let values = |target| rows.iter().map(|row| measured(row, target).unwrap_or(f64::NAN)).collect::<Vec<f64>>();
    let networks = rows.iter().map(|row| numbers[row.network.as_str()]).collect();
    Dataset { other_target: values(target.other()), ..Dataset::of_layers(target, layers, values(target), networks) }
}
