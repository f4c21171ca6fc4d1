//! How far two layers are apart: in the logarithms of their sizes and of their work.

use learn::features::{Column, LayerSpec, columns};
use shared::engine::Table;
use std::collections::BTreeMap;

/// Root mean square of the logarithms of two layers' ratios up to which they count as near: sizes differ by a quarter.
pub(crate) const NEAR: f64 = 0.25;
/// Distance over which similarity falls to 1/e.
const LENGTH: f64 = 0.4;
/// Similarity below which one layer says nothing of another.
const NOTHING: f64 = 0.05;

/// A layer as a point among the layers of its table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) table: Table,
    logs: Vec<f64>,
}

/// The columns that points are made of.
#[derive(Debug)]
pub(crate) struct Columns(BTreeMap<Table, Vec<Column>>);

impl Columns {
    /// Every column of every table, work and bytes included.
    pub(crate) fn all() -> Self {
        let of = |table: Table| {
            let columns = columns::names(table).into_iter().filter_map(|name| Column::resolve(table, name));
            (table, columns.collect())
        };
        Self(Table::ALL.into_iter().map(of).collect())
    }

    /// The point of a layer.
    pub(crate) fn point(&self, layer: &LayerSpec) -> Point {
        let table = layer.table();
        // A number that is not counted follows from the others.
        let log = |column: &Column| Some(column.value(layer)).filter(|value| *value > 0.0).map_or(0.0, f64::ln_1p);
        let mut logs: Vec<f64> = self.0.get(&table).into_iter().flatten().map(log).collect();
        logs.push(f64::from(layer.bits()).ln());
        Point { table, logs }
    }
}

impl Point {
    /// The distance to another layer of the same table; infinite to one of another table.
    pub(crate) fn distance(&self, other: &Self) -> f64 {
        if self.table != other.table {
            return f64::INFINITY;
        }
        let squares: f64 = self.logs.iter().zip(&other.logs).map(|(a, b)| (a - b).powi(2)).sum();
        (squares / self.logs.len() as f64).sqrt()
    }
}

/// What a measured layer at a distance says of another: 1 for the same layer, 0 where it says next to nothing.
pub(crate) fn similarity(distance: f64) -> f64 {
    let similarity = (-distance / LENGTH).exp();
    if similarity < NOTHING { 0.0 } else { similarity }
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::features::{DenseShape, LayerShape};

    fn dense(input: f64, output: f64) -> LayerSpec {
        LayerSpec { shape: LayerShape::Dense(DenseShape { batch: 1.0, input, output, weights: None }), precision: None }
    }

    #[test]
    fn distance_is_that_of_sizes_and_infinite_between_tables() {
        let columns = Columns::all();
        let [a, b, c] = [dense(512.0, 1000.0), dense(640.0, 1000.0), dense(4096.0, 10.0)].map(|l| columns.point(&l));
        assert_eq!(a.distance(&a), 0.0);
        assert!(a.distance(&b) < NEAR && a.distance(&b) > 0.0, "{}", a.distance(&b));
        assert!(a.distance(&c) > 2.0 * NEAR && (a.distance(&c) - c.distance(&a)).abs() < 1e-12);
        let other = Point { table: Table::Pooling, ..a.clone() };
        assert_eq!(similarity(a.distance(&other)), 0.0);
    }
}
