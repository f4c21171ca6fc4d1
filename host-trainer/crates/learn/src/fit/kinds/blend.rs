//! Hybrid and perceptron together: the geometric mean of what both predict, the better one with more weight.
//!
//! Trees stay where the nearest training rows are, a perceptron follows the slope it saw last; where a layer leaves the range
//! of training they err in different ways, and their mean errs less than either.

use super::{HybridRecipe, MlpRecipe};
use crate::fit::plan::Plan;
use crate::model::{Predictor, Problem, Recipe, Target};
use estimators::FitError;
use estimators::fold_hashes;
use estimators::lasso::Folds;
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// Rows up to which both count alike: held-out errors of fewer say nothing.
const FEW_ROWS: usize = 100;
/// Of so many parts of the data one is held out to weigh the two.
const PARTS: usize = 5;

/// Fits both and blends them.
#[derive(Debug, Clone)]
pub struct BlendRecipe {
    hybrid: HybridRecipe,
    mlp: MlpRecipe,
    options: serde_json::Value,
}

impl BlendRecipe {
    /// A recipe of a checked plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            hybrid: HybridRecipe::new(plan.hybrid.clone()),
            mlp: MlpRecipe::new(plan.mlp.clone()),
            options: serde_json::json!({ "hybrid": plan.hybrid, "mlp": plan.mlp }),
        }
    }
}

impl Recipe for BlendRecipe {
    fn kind(&self) -> &'static str {
        "blend"
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.hybrid.features(table, target)
    }

    fn fit(&self, problem: &Problem) -> Result<Box<dyn Predictor>, FitError> {
        if self.mlp.may_be_negative() {
            return Err(FitError::Failed(
                "a blend takes predictions above zero; mlp.target_scale is signed".to_owned(),
            ));
        }
        let hybrid_weight = self.weigh(problem)?;
        let (hybrid, mlp) = self.fit_both(problem)?;
        Ok(Box::new(Blend { hybrid, mlp, hybrid_weight }))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        self.options.clone()
    }
}

/// A hybrid and a perceptron.
type Both = (Box<dyn Predictor>, Box<dyn Predictor>);

impl BlendRecipe {
    fn fit_both(&self, problem: &Problem) -> Result<Both, FitError> {
        let (hybrid, mlp) = rayon::join(|| self.hybrid.fit(problem), || self.mlp.fit(problem));
        Ok((hybrid?, mlp?))
    }

    /// The hybrid's weight, by what both do on networks held out for that.
    fn weigh(&self, problem: &Problem) -> Result<f64, FitError> {
        let labels = fold_hashes(&problem.networks);
        let Some(cut) = Folds::grouped(&labels, PARTS).ok().filter(|_| problem.len() > FEW_ROWS) else {
            return Ok(0.5);
        };
        let held_out = problem.subset(&cut.held_out(0));
        let (hybrid, mlp) = self.fit_both(&problem.subset(&cut.training(0)))?;
        let predict = |model: &dyn Predictor| -> Vec<f64> {
            (0..held_out.len()).map(|i| model.predict(held_out.row(i))).collect()
        };
        Ok(hybrid_weight(&predict(hybrid.as_ref()), &predict(mlp.as_ref()), &held_out.measured))
    }
}

/// The hybrid's weight in a geometric mean with the perceptron: the inverse of its squared mean absolute log error, as of
/// two measurements of one quantity; ½ where an error cannot be told.
pub(super) fn hybrid_weight(hybrid: &[f64], mlp: &[f64], measured: &[f64]) -> f64 {
    let squared_error = |predicted: &[f64]| {
        let errors = predicted.iter().zip(measured).map(|(p, y)| (p / y).ln().abs());
        (errors.sum::<f64>() / measured.len() as f64).powi(2)
    };
    let (hybrid, mlp) = (squared_error(hybrid), squared_error(mlp));
    let weight = mlp / (hybrid + mlp);
    if weight.is_finite() { weight } else { 0.5 }
}

/// The weighted geometric mean; none of values that are not above zero.
pub(super) fn blended(hybrid: f64, mlp: f64, hybrid_weight: f64) -> f64 {
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
