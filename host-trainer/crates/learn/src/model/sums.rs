//! Measurements that are sums over layers: whole networks' totals, single layers, or both at once.
//!
//! Energies and run times of layers add up, so that a total says something of every layer in it. A measured layer is the
//! sum of one. Power does not add up, but a network's is the mean of its layers' weighted by the time each takes.

use super::{Problem, Target};
use shared::engine::Table;
use std::collections::{HashMap, HashSet};

/// What a device's models are fitted on, all tables together.
#[derive(Debug, Clone)]
pub struct Sums {
    /// What is predicted.
    pub target: Target,
    /// The layers, one part a table.
    pub parts: Vec<Part>,
    /// Measured sums.
    pub measured: Vec<f64>,
    /// The network of each sum, as a number from 0.
    pub networks: Vec<usize>,
}

/// The layers of one table.
#[derive(Debug, Clone)]
pub struct Part {
    /// The table.
    pub table: Table,
    /// Names of the features, in order.
    pub features: Vec<String>,
    /// Feature values, row after row; rows may be all different, with several uses each.
    pub rows: Vec<f64>,
    /// Run time of each row in ms, where power is learnt from totals and it is known; else empty.
    pub times: Vec<Option<f64>>,
    /// Which rows stand in which sums.
    pub uses: Vec<Use>,
}

/// A row in a sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Use {
    /// The sum's number.
    pub sum: usize,
    /// The row's number.
    pub row: usize,
    /// By how much the row's value counts: how often the layer occurs, or its share of the time.
    pub weight: f64,
}

impl Part {
    /// A part without layers.
    #[must_use]
    pub fn empty(table: Table, features: Vec<String>) -> Self {
        Self { table, features, rows: Vec::new(), times: Vec::new(), uses: Vec::new() }
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

impl Sums {
    /// Single layers of one table, each measured.
    #[must_use]
    pub fn of_layers(problem: &Problem) -> Self {
        let uses = (0..problem.len()).map(|i| Use { sum: i, row: i, weight: 1.0 }).collect();
        Self {
            target: problem.target,
            parts: vec![Part {
                table: problem.table,
                features: problem.features.clone(),
                rows: problem.rows.clone(),
                times: Vec::new(),
                uses,
            }],
            measured: problem.measured.clone(),
            networks: problem.networks.clone(),
        }
    }

    /// Whether every sum is a single layer, none a network's total.
    #[must_use]
    pub fn are_layers(&self) -> bool {
        self.parts.iter().map(|part| part.uses.len()).sum::<usize>() == self.len()
    }

    /// Number of sums.
    #[must_use]
    pub fn len(&self) -> usize {
        self.measured.len()
    }

    /// Whether there are no sums.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.measured.is_empty()
    }

    /// Some of the sums, with the rows that stand in them. Every part is kept, even one without rows.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        let numbers: HashMap<usize, usize> = indices.iter().enumerate().map(|(new, &old)| (old, new)).collect();
        let part = |part: &Part| {
            let mut rows: HashMap<usize, usize> = HashMap::new();
            let mut kept = Part::empty(part.table, part.features.clone());
            for one in &part.uses {
                let Some(&sum) = numbers.get(&one.sum) else { continue };
                let row = *rows.entry(one.row).or_insert_with(|| {
                    kept.rows.extend_from_slice(part.row(one.row));
                    kept.times.extend(part.times.get(one.row));
                    kept.len() - 1
                });
                kept.uses.push(Use { sum, row, weight: one.weight });
            }
            kept
        };
        Self {
            target: self.target,
            parts: self.parts.iter().map(part).collect(),
            measured: indices.iter().map(|&i| self.measured[i]).collect(),
            networks: indices.iter().map(|&i| self.networks[i]).collect(),
        }
    }

    /// How many networks the sums are of.
    #[must_use]
    pub fn network_count(&self) -> usize {
        self.networks.iter().collect::<HashSet<_>>().len()
    }

    /// Adds up values of rows, one slice a part.
    #[must_use]
    pub fn add_up(&self, values: &[Vec<f64>]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        for (part, values) in self.parts.iter().zip(values) {
            for one in &part.uses {
                sums[one.sum] += one.weight * values[one.row];
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_keeps_its_sums() {
        let part = Part {
            table: Table::Dense,
            features: vec!["macs".into()],
            rows: vec![1.0, 10.0, 100.0],
            times: vec![Some(0.1), None, Some(0.3)],
            uses: vec![
                Use { sum: 0, row: 0, weight: 2.0 },
                Use { sum: 0, row: 1, weight: 1.0 },
                Use { sum: 1, row: 1, weight: 3.0 },
                Use { sum: 2, row: 2, weight: 1.0 },
            ],
        };
        let sums =
            Sums { target: Target::Runtime, parts: vec![part], measured: vec![5.0, 6.0, 7.0], networks: vec![0, 1, 2] };
        let values = |sums: &Sums| vec![sums.parts[0].rows.clone()];
        assert_eq!(sums.add_up(&values(&sums)), [12.0, 30.0, 100.0]);
        let some = sums.subset(&[2, 1]);
        assert_eq!(some.parts[0].len(), 2);
        assert_eq!(some.add_up(&values(&some)), [100.0, 30.0]);
        assert_eq!(some.parts[0].times, [None, Some(0.3)]);
        assert_eq!((some.measured, some.networks), (vec![7.0, 6.0], vec![2, 1]));
    }
}
