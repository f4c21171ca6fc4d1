//! Hybrid and perceptron together: the geometric mean of what both predict.
//!
//! Trees stay where the nearest training rows are, a perceptron follows the slope it saw last; where a layer leaves the range
//! of training they err in different ways, and their mean errs less than either.

use super::{HybridRecipe, MlpRecipe};
use crate::fit::plan::Plan;
use crate::model::{FitError, Predictor, Problem, Recipe, Target};
use crate::onnx::{GraphBuilder, Value};
use shared::engine::Table;

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
        let (hybrid, mlp) = rayon::join(|| self.hybrid.fit(problem), || self.mlp.fit(problem));
        Ok(Box::new(Blend { hybrid: hybrid?, mlp: mlp? }))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        self.options.clone()
    }
}

/// Two predictors whose values are above zero.
#[derive(Debug)]
struct Blend {
    hybrid: Box<dyn Predictor>,
    mlp: Box<dyn Predictor>,
}

impl Predictor for Blend {
    fn predict(&self, features: &[f64]) -> f64 {
        (self.hybrid.predict(features) * self.mlp.predict(features)).sqrt()
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let hybrid = self.hybrid.export(graph, features);
        let mlp = self.mlp.export(graph, features);
        let product = graph.apply("Mul", &[&hybrid, &mlp], vec![]);
        graph.apply("Sqrt", &[&product], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "hybrid": self.hybrid.describe(), "mlp": self.mlp.describe() })
    }

    fn warnings(&self) -> Vec<String> {
        [self.hybrid.warnings(), self.mlp.warnings()].concat()
    }
}
