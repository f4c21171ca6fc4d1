//! Hybrid and perceptron together: the geometric mean of what both predict, the better one with more weight.
//!
//! Trees stay where the nearest training rows are, a perceptron follows the slope it saw last; where a layer leaves the range
//! of training they err in different ways, and their mean errs less than either.

use super::hybrid::{self, HybridEstimator, HybridOptions};
use super::mlp::{self, MlpEstimator};
use crate::fit::cross_validation::Fold;
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::{Candidate, Combination, Definition, Plan};
use crate::model::{Dataset, Predictor, Target};
use estimators::mlp::Settings;
use estimators::{FitError, Folds, fold_hashes};
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// Rows up to which both count alike: held-out errors of fewer say nothing.
const FEW_ROWS: usize = 100;
/// Folds by network, of which one is held out to weigh the two.
const FOLDS: usize = 5;

pub(super) static DEFINITION: Definition = Definition {
    name: "blend",
    description: "The geometric mean of hybrid and perceptron; learns from layers",
    estimator: |plan, _| Box::new(BlendEstimator::new(plan)),
    search_space: &[mlp::SEARCH_SPACE, hybrid::SEARCH_SPACE],
    candidate: Some(Candidate {
        complexity: 5,
        estimator: |plan| Box::new(BlendEstimator::new(plan)),
        takes_part: |plan, data| mlp::few_enough(&plan.options(), data),
        combines: Some(Combination { kinds: ["hybrid", "mlp"], combine }),
        options: |_| None,
    }),
    baseline: false,
};

pub(super) use crate::fit::kind_options::NoOptions as Options;

/// Fits both and blends them.
#[derive(Debug, Clone)]
pub struct BlendEstimator {
    hybrid: HybridEstimator,
    mlp: MlpEstimator,
    options: serde_json::Value,
}

impl BlendEstimator {
    /// An estimator of a checked plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let (hybrid, mlp) = (plan.options::<HybridOptions>(), plan.options::<Settings>());
        Self {
            options: serde_json::json!({ "hybrid": hybrid, "mlp": mlp }),
            hybrid: HybridEstimator::new(hybrid),
            mlp: MlpEstimator::new(mlp),
        }
    }

    fn fit_both(&self, data: &Dataset) -> Result<[FittedModels; 2], FitError> {
        let (hybrid, mlp) = rayon::join(|| self.hybrid.fit(data), || self.mlp.fit(data));
        Ok([hybrid?, mlp?])
    }

    /// The hybrid's weight, by what both do on networks held out for that.
    fn weigh(&self, data: &Dataset) -> Result<f64, FitError> {
        let labels = fold_hashes(&data.networks);
        let Some(folds) = Folds::grouped(&labels, FOLDS).ok().filter(|_| data.len() > FEW_ROWS) else {
            return Ok(0.5);
        };
        let fold = Fold::of(data, &folds, 0);
        let held_out = data.subset(&fold.held_out);
        let [hybrid, mlp] = self.fit_both(&fold.training)?.map(|models| models.predict(&held_out));
        Ok(hybrid_weight(&hybrid, &mlp, &held_out.measured))
    }
}

impl Estimator for BlendEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.hybrid.features(table, target)
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        if data.single_layers().is_none() {
            return Err(FitError::TotalsUnsupported { kind: DEFINITION.name });
        }
        if self.mlp.may_be_negative() {
            return Err(FitError::Options(
                "a blend takes predictions above zero; mlp.target_scale is signed".to_owned(),
            ));
        }
        let hybrid_weight = self.weigh(data)?;
        let [hybrid, mlp] = self.fit_both(data)?;
        let blend = |(hybrid, mlp)| Blend { hybrid, mlp, hybrid_weight };
        Ok(FittedModels::of(hybrid.0.into_iter().zip(mlp.0).map(blend)))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        self.options.clone()
    }
}

/// Predictions of a blend, from those of both kinds.
fn combine([hybrid, mlp]: [&[f64]; 2], measured: &[f64]) -> Vec<f64> {
    let weight = hybrid_weight(hybrid, mlp, measured);
    hybrid.iter().zip(mlp).map(|(h, m)| blended(*h, *m, weight)).collect()
}

/// The hybrid's weight in a geometric mean with the perceptron: the inverse of its squared mean absolute log error, as of
/// two measurements of one quantity; ½ where an error cannot be told.
fn hybrid_weight(hybrid: &[f64], mlp: &[f64], measured: &[f64]) -> f64 {
    let squared_error = |predicted: &[f64]| {
        let errors = predicted.iter().zip(measured).map(|(p, y)| (p / y).ln().abs());
        (errors.sum::<f64>() / measured.len() as f64).powi(2)
    };
    let (hybrid, mlp) = (squared_error(hybrid), squared_error(mlp));
    let weight = mlp / (hybrid + mlp);
    if weight.is_finite() { weight } else { 0.5 }
}

/// The weighted geometric mean; none of values that are not above zero.
fn blended(hybrid: f64, mlp: f64, hybrid_weight: f64) -> f64 {
    (hybrid_weight * hybrid.ln() + (1.0 - hybrid_weight) * mlp.ln()).exp()
}

/// Two predictors whose values are above zero.
#[derive(Debug)]
struct Blend {
    hybrid: Box<dyn Predictor>,
    mlp: Box<dyn Predictor>,
    hybrid_weight: f64,
}

impl Predictor for Blend {
    fn predict(&self, features: &[f64]) -> f64 {
        blended(self.hybrid.predict(features), self.mlp.predict(features), self.hybrid_weight)
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let shares =
            [(&self.hybrid, self.hybrid_weight), (&self.mlp, 1.0 - self.hybrid_weight)].map(|(model, weight)| {
                let value = model.export(graph, features);
                let log = graph.apply("Log", &[&value], vec![]);
                let weight = graph.doubles(&[weight], &[1, 1]);
                graph.apply("Mul", &[&log, &weight], vec![])
            });
        let sum = graph.apply("Add", &[&shares[0], &shares[1]], vec![]);
        graph.apply("Exp", &[&sum], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "hybrid_weight": self.hybrid_weight,
            "hybrid": self.hybrid.describe(),
            "mlp": self.mlp.describe(),
        })
    }

    fn warnings(&self) -> Vec<String> {
        [self.hybrid.warnings(), self.mlp.warnings()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_of_two_has_more_weight() {
        let measured = [1.0, 2.0, 4.0];
        let off_by = |factor: f64| measured.map(|y| y * factor);
        let weight = |hybrid: f64, mlp: f64| hybrid_weight(&off_by(hybrid), &off_by(mlp), &measured);
        assert!((weight(1.1, 1.1) - 0.5).abs() < 1e-12);
        // Twice as far off in the logarithm: a quarter of the other's weight.
        assert!((weight(1.1, 1.21) - 0.8).abs() < 1e-12);
        assert_eq!(weight(1.0, 1.5), 1.0);
        assert_eq!((weight(1.0, 1.0), weight(1.0, -1.0)), (0.5, 0.5));
        assert!((blended(2.0, 8.0, 0.5) - 4.0).abs() < 1e-12);
        assert!((blended(2.0, 8.0, 1.0) - 2.0).abs() < 1e-12);
    }
}
