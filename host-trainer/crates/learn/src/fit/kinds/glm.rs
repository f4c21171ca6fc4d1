//! A gamma regression with a logarithmic link over the logarithms of a layer's sizes and work: a product of powers, and a
//! baseline that minimises relative errors.

use super::linear::{Inputs, weighted_sum};
use super::physics::{self, rounded};
use super::work_inputs;
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::Definition;
use crate::model::{Dataset, Predictor, Target};
use estimators::FitError;
use estimators::formula::Formula;
use estimators::linear::gamma;
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// Penalty on the squared coefficients of standardised inputs. Without one, inputs that hardly differ from each other get large
/// coefficients of opposite signs, which the next network's layers do not cancel.
const PENALTY: f64 = 0.1;

pub(super) static DEFINITION: Definition = Definition {
    name: "glm",
    description: "Gamma regression with a log link over sizes and work; a baseline, learns from layers",
    estimator: |_, _| Box::new(GlmEstimator),
    search_space: &[],
    candidate: None,
    baseline: true,
};

pub(super) use crate::fit::kind_options::NoOptions as Options;

/// Fits gamma regressions.
#[derive(Debug, Clone, Copy, Default)]
struct GlmEstimator;

/// log(1 + x), as the graph computes it.
fn log(x: f64) -> f64 {
    (1.0 + x).ln()
}

impl Estimator for GlmEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        physics::features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        let (table, rows) = data.single_layers().ok_or(FitError::TotalsUnsupported { kind: DEFINITION.name })?;
        if rows.len() < 2 {
            return Err(FitError::TooFewRows { found: rows.len(), needed: 2 });
        }
        let mut layers = crate::model::LayerTable::new(table.table, table.features.clone());
        layers.rows = rows.concat();
        let inputs = Inputs::of(&layers, log)?;
        let fit = gamma(&inputs.design, &data.measured, PENALTY)?;
        let names = work_inputs::names(table.table);
        Ok(FittedModels::of([GlmPredictor {
            intercept: fit.intercept,
            centres: inputs.scaler.centre.clone(),
            slopes: fit.coefficients.iter().zip(&inputs.scaler.scale).map(|(w, scale)| w / scale).collect(),
            dependent: fit.dependent.iter().map(|&input| names[input].clone()).collect(),
            formulas: inputs.formulas,
        }]))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({ "penalty": PENALTY })
    }
}

/// A fitted gamma regression of one table.
#[derive(Debug, Clone)]
struct GlmPredictor {
    formulas: Vec<Formula>,
    intercept: f64,
    /// Mean logarithm of each input in training.
    centres: Vec<f64>,
    /// Exponent of each input.
    slopes: Vec<f64>,
    /// Names of the inputs that are combinations of others.
    dependent: Vec<String>,
}

impl Predictor for GlmPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        let row = rounded(features);
        let inputs = self.formulas.iter().zip(&self.centres).zip(&self.slopes);
        let sum = inputs.map(|((input, centre), slope)| (log(input.value(&row)) - centre) * slope).sum::<f64>();
        (self.intercept + sum).exp()
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let logs = |graph: &mut GraphBuilder, inputs: Value| graph.log1p(&inputs);
        let sum = weighted_sum(graph, features, &self.formulas, logs, &self.centres, &self.slopes, self.intercept);
        graph.apply("Exp", &[&sum], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "intercept": self.intercept,
            "coefficients": self.slopes.iter().filter(|slope| **slope != 0.0).count(),
            "dependent_inputs": self.dependent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LayerTable;

    #[test]
    fn a_power_law_is_found_and_totals_are_refused() {
        let mut table = LayerTable::new(Table::Pointwise, GlmEstimator.features(Table::Pointwise, Target::Runtime));
        let mut measured = Vec::new();
        for i in 0..60 {
            let elements = 1e3 * 1.2_f64.powi(i);
            table.rows.extend([1.0, elements, elements, 0.0, 4.0]);
            measured.push(1e-4 * elements.powf(0.7));
        }
        let mut data = Dataset::of_layers(Target::Runtime, table, measured, (0..60).collect());
        let models = GlmEstimator.fit(&data).expect("fits");
        for (predicted, measured) in models.predict(&data).iter().zip(&data.measured) {
            assert!((predicted / measured - 1.0).abs() < 0.05, "{predicted} for {measured}");
        }
        data.tables[0].occurrences[0].weight = 2.0;
        assert!(matches!(GlmEstimator.fit(&data), Err(FitError::TotalsUnsupported { kind: "glm" })));
    }
}
