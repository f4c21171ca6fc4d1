//! The mean of what was measured, the same for every layer of a table: the least that a model must beat.

use super::physics;
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::Definition;
use crate::model::{Dataset, Predictor, Target};
use estimators::FitError;
use estimators::design::Design;
use estimators::linear::least_squares;
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

pub(super) static DEFINITION: Definition = Definition {
    name: "constant",
    description: "The mean of the layers' measurements; a baseline, learns from layers, networks' totals, or both",
    estimator: |_, _| Box::new(ConstantEstimator),
    search_space: &[],
    candidate: None,
    baseline: true,
};

pub(super) use crate::fit::kind_options::NoOptions as Options;

/// Fits one number for each table.
#[derive(Debug, Clone, Copy, Default)]
struct ConstantEstimator;

impl Estimator for ConstantEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        physics::features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        if data.is_empty() {
            return Err(FitError::TooFewRows { found: 0, needed: 1 });
        }
        if data.single_layers().is_some() {
            let mean = data.measured.iter().sum::<f64>() / data.len() as f64;
            return Ok(FittedModels::of([ConstantPredictor(mean)]));
        }
        // Of totals, the constants that leave the least squares: each measurement counts the layers of each table.
        let mut counts = vec![vec![0.0; data.len()]; data.tables.len()];
        for (count, table) in counts.iter_mut().zip(&data.tables) {
            table.occurrences.iter().for_each(|one| count[one.measurement] += one.weight);
        }
        let fit = least_squares(&Design::from_columns(&counts)?, &data.measured)?;
        Ok(FittedModels::of(fit.coefficients.into_iter().map(ConstantPredictor)))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({})
    }
}

/// One number, W or ms.
#[derive(Debug, Clone, Copy)]
struct ConstantPredictor(f64);

impl Predictor for ConstantPredictor {
    fn predict(&self, _features: &[f64]) -> f64 {
        self.0
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        // A column of zeros, so that the result has a row for every row of features.
        let first = graph.columns(features, &[0]);
        let zero = graph.doubles(&[0.0], &[1, 1]);
        let zeros = graph.apply("Mul", &[&first, &zero], vec![]);
        let value = graph.doubles(&[self.0], &[1, 1]);
        graph.apply("Add", &[&zeros, &value], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "value": self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LayerTable, Occurrence};

    #[test]
    fn the_constant_is_the_mean_of_layers_and_the_share_of_totals() {
        let mut table = LayerTable::new(Table::Dense, vec!["macs".to_owned()]);
        table.rows = vec![1.0, 2.0];
        let layers = Dataset::of_layers(Target::Power, table.clone(), vec![2.0, 4.0], vec![0, 1]);
        assert_eq!(ConstantEstimator.fit(&layers).expect("fits").predict(&layers), [3.0, 3.0]);
        table.occurrences = [2.0, 3.0]
            .into_iter()
            .enumerate()
            .map(|(measurement, weight)| Occurrence { measurement, row: measurement, weight })
            .collect();
        let totals = Dataset { measured: vec![10.0, 15.0], tables: vec![table], ..layers };
        let models = ConstantEstimator.fit(&totals).expect("fits");
        assert!((models.0[0].predict(&[1.0]) - 5.0).abs() < 1e-12);
    }
}
