//! Measurements that estimators are fitted on.
//!
//! Every measurement is a sum over layers. A network's total is a sum of many layers, a measured layer is a sum of one. Run
//! times and energies of layers add up. Power does not, but a network's mean power is the mean of its layers' powers, weighted
//! by the time that each takes.

use super::Target;
use shared::engine::Table;
use std::collections::{HashMap, HashSet};

/// Measurements of one target: `measured[i] ≈ Σ weight · value(row)` over the layers that occur in measurement `i`.
///
/// ```
/// use learn::model::{Dataset, LayerTable, Target};
/// use shared::engine::Table;
///
/// // Two measured layers of different networks.
/// let mut layers = LayerTable::new(Table::Dense, vec!["macs".to_owned()]);
/// layers.rows = vec![1e6, 2e6];
/// let data = Dataset::of_layers(Target::Runtime, layers, vec![0.1, 0.2], vec![0, 1]);
/// assert_eq!((data.len(), data.network_count(), data.are_layers()), (2, 2, true));
/// assert_eq!(data.subset(&[1]).measured, [0.2]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What is predicted.
    pub target: Target,
    /// The layers, by table.
    pub tables: Vec<LayerTable>,
    /// Measured values, W or ms.
    pub measured: Vec<f64>,
    /// The network of each measurement, as a number from 0. Measurements of one network are never on both sides of a fold.
    pub networks: Vec<usize>,
    /// The other target's value of each measurement, NaN where it was not measured; empty where it is not known at all.
    pub other_target: Vec<f64>,
}

/// The layers of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTable {
    /// The table.
    pub table: Table,
    /// Names of the features, in order.
    pub features: Vec<String>,
    /// Feature values, row after row: `n × features.len()`.
    pub rows: Vec<f64>,
    /// Run time of each row in ms, where power is learnt from totals and it is known; else empty.
    pub runtimes: Vec<Option<f64>>,
    /// Which rows occur in which measurements.
    pub occurrences: Vec<Occurrence>,
}

/// A layer in a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Occurrence {
    /// Index of the measurement.
    pub measurement: usize,
    /// Index of the layer's row in its table.
    pub row: usize,
    /// Factor of the row's value: how often the layer occurs, or its share of the time.
    pub weight: f64,
}

impl LayerTable {
    /// A table without layers.
    #[must_use]
    pub fn new(table: Table, features: Vec<String>) -> Self {
        Self { table, features, rows: Vec::new(), runtimes: Vec::new(), occurrences: Vec::new() }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() / self.features.len().max(1)
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The features of one row.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows[index * self.features.len()..(index + 1) * self.features.len()]
    }
}

impl Dataset {
    /// Measured layers of one table: row `i` of `layers` is measurement `i`. Occurrences that `layers` holds are replaced.
    #[must_use]
    pub fn of_layers(target: Target, mut layers: LayerTable, measured: Vec<f64>, networks: Vec<usize>) -> Self {
        layers.occurrences = (0..measured.len()).map(|i| Occurrence { measurement: i, row: i, weight: 1.0 }).collect();
        Self { target, tables: vec![layers], measured, networks, other_target: Vec::new() }
    }

    /// Whether every measurement is a single layer, none a network's total.
    #[must_use]
    pub fn are_layers(&self) -> bool {
        self.tables.iter().map(|table| table.occurrences.len()).sum::<usize>() == self.len()
    }

    /// The table and the features of each measurement, where all measurements are single layers of one table.
    #[must_use]
    pub fn single_layers(&self) -> Option<(&LayerTable, Vec<&[f64]>)> {
        let [table] = self.tables.as_slice() else { return None };
        let mut rows: Vec<Option<&[f64]>> = vec![None; self.len()];
        for one in &table.occurrences {
            if one.weight != 1.0 || rows[one.measurement].replace(table.row(one.row)).is_some() {
                return None;
            }
        }
        Some((table, rows.into_iter().collect::<Option<_>>()?))
    }

    /// Number of measurements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.measured.len()
    }

    /// Whether there are no measurements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.measured.is_empty()
    }

    /// Some of the measurements, with the rows that occur in them. Every table is kept, even one without rows.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        let numbers: HashMap<usize, usize> = indices.iter().enumerate().map(|(new, &old)| (old, new)).collect();
        let subset = |table: &LayerTable| {
            let mut rows: HashMap<usize, usize> = HashMap::new();
            let mut kept = LayerTable::new(table.table, table.features.clone());
            for one in &table.occurrences {
                let Some(&measurement) = numbers.get(&one.measurement) else { continue };
                let row = *rows.entry(one.row).or_insert_with(|| {
                    kept.rows.extend_from_slice(table.row(one.row));
                    kept.runtimes.extend(table.runtimes.get(one.row));
                    kept.len() - 1
                });
                kept.occurrences.push(Occurrence { measurement, row, weight: one.weight });
            }
            kept
        };
        Self {
            target: self.target,
            tables: self.tables.iter().map(subset).collect(),
            measured: indices.iter().map(|&i| self.measured[i]).collect(),
            networks: indices.iter().map(|&i| self.networks[i]).collect(),
            other_target: indices.iter().filter_map(|&i| self.other_target.get(i).copied()).collect(),
        }
    }

    /// Number of networks that the measurements are of.
    #[must_use]
    pub fn network_count(&self) -> usize {
        self.networks.iter().collect::<HashSet<_>>().len()
    }

    /// Sums values of rows, one slice a table, to one value a measurement.
    #[must_use]
    pub fn sum(&self, values: &[Vec<f64>]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        for (table, values) in self.tables.iter().zip(values) {
            for one in &table.occurrences {
                sums[one.measurement] += one.weight * values[one.row];
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals() -> Dataset {
        let occurrence = |measurement, row, weight| Occurrence { measurement, row, weight };
        let table = LayerTable {
            table: Table::Dense,
            features: vec!["macs".into()],
            rows: vec![1.0, 10.0, 100.0],
            runtimes: vec![Some(0.1), None, Some(0.3)],
            occurrences: vec![
                occurrence(0, 0, 2.0),
                occurrence(0, 1, 1.0),
                occurrence(1, 1, 3.0),
                occurrence(2, 2, 1.0),
            ],
        };
        Dataset {
            target: Target::Runtime,
            tables: vec![table],
            measured: vec![5.0, 6.0, 7.0],
            networks: vec![0, 1, 2],
            other_target: Vec::new(),
        }
    }

    #[test]
    fn a_subset_keeps_its_sums() {
        let data = totals();
        let values = |data: &Dataset| vec![data.tables[0].rows.clone()];
        assert_eq!(data.sum(&values(&data)), [12.0, 30.0, 100.0]);
        let some = data.subset(&[2, 1]);
        assert_eq!(some.tables[0].len(), 2);
        assert_eq!(some.sum(&values(&some)), [100.0, 30.0]);
        assert_eq!(some.tables[0].runtimes, [None, Some(0.3)]);
        assert_eq!((some.measured, some.networks), (vec![7.0, 6.0], vec![2, 1]));
    }

    #[test]
    fn single_layers_are_told_from_totals() {
        let data = totals();
        assert!(data.single_layers().is_none() && !data.are_layers());
        let layer = data.subset(&[2]);
        let (_, rows) = layer.single_layers().expect("one layer");
        assert_eq!(rows, [[100.0]]);
        // One layer three times is a total, too.
        assert!(data.subset(&[1]).single_layers().is_none());
    }

    #[test]
    fn layers_that_share_a_row_keep_their_order() {
        let mut layers = LayerTable::new(Table::Dense, vec!["macs".into()]);
        layers.rows = vec![1.0, 2.0];
        let mut data = Dataset::of_layers(Target::Power, layers, vec![5.0, 6.0], vec![0, 0]);
        data.tables[0].occurrences.reverse();
        data.measured.push(7.0);
        data.networks.push(1);
        data.tables[0].occurrences.push(Occurrence { measurement: 2, row: 0, weight: 1.0 });
        let (_, rows) = data.single_layers().expect("layers");
        assert_eq!(rows, [[1.0], [2.0], [1.0]]);
    }
}
