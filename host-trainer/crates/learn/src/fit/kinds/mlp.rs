//! The kind that learns by a multi-layer perceptron: sizes and work of a layer on logarithmic scales in, power or run time
//! out, or both from one network.

use super::physics;
use crate::fit::kinds::physics::rounded;
use crate::model::{Predictor, Problem, Recipe, Target};
use estimators::FitError;
use estimators::formula::{Formula, FormulaExport};
use estimators::mlp::{Data, Network, Settings, TargetScale, train};
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// Fits perceptrons.
#[derive(Debug, Clone)]
pub struct MlpRecipe {
    settings: Settings,
}

impl MlpRecipe {
    /// A recipe with checked settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Whether its predictions may be negative.
    pub(super) fn may_be_negative(&self) -> bool {
        self.settings.target_scale == TargetScale::Signed
    }
}

impl Recipe for MlpRecipe {
    fn kind(&self) -> &'static str {
        "mlp"
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        physics::features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, problem: &Problem) -> Result<Box<dyn Predictor>, FitError> {
        let inputs = self.inputs(problem);
        let rows: Vec<f64> = (0..problem.len())
            .flat_map(|i| {
                let row = rounded(problem.row(i));
                inputs.iter().map(|input| input.value(&row)).collect::<Vec<_>>()
            })
            .collect();
        // One network's outputs come in one order whatever the target, so that both targets' models hold the same network.
        let companion = self.companion(problem);
        let (targets, output) = match (&companion, problem.target) {
            (None, _) => (problem.measured.clone(), 0),
            (Some(companion), Target::Power) => (side_by_side(&problem.measured, companion), 0),
            (Some(companion), Target::Runtime) => (side_by_side(companion, &problem.measured), 1),
        };
        let data = Data {
            inputs: inputs.len(),
            outputs: if companion.is_some() { 2 } else { 1 },
            rows: &rows,
            targets: &targets,
            groups: &problem.networks,
        };
        Ok(Box::new(MlpPredictor { network: train(&data, &self.settings)?, inputs, output }))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({ "mlp": self.settings })
    }
}

impl MlpRecipe {
    /// What the network learns beside the target, if it is to and there is anything to learn: values above zero.
    fn companion(&self, problem: &Problem) -> Option<Vec<f64>> {
        let known = |y: &f64| if *y > 0.0 { *y } else { f64::NAN };
        let values: Vec<f64> = problem.companion.iter().map(known).collect();
        (self.settings.joint && values.iter().any(|y| !y.is_nan())).then_some(values)
    }

    fn inputs(&self, problem: &Problem) -> Vec<Formula> {
        if self.settings.work_inputs {
            let work = physics::products(problem.table).into_iter().chain(physics::intensity(problem.table));
            physics::sizes(problem.table).into_iter().chain(work).map(|question| question.formula).collect()
        } else {
            (0..problem.features.len()).map(Formula::Column).collect()
        }
    }
}

fn side_by_side(first: &[f64], second: &[f64]) -> Vec<f64> {
    first.iter().zip(second).flat_map(|(a, b)| [*a, *b]).collect()
}

/// A fitted perceptron of one table and target.
#[derive(Debug)]
struct MlpPredictor {
    inputs: Vec<Formula>,
    network: Network,
    /// Which of the network's outputs is the target.
    output: usize,
}

impl Predictor for MlpPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        let row = rounded(features);
        let inputs: Vec<f64> = self.inputs.iter().map(|input| input.value(&row)).collect();
        self.network.predict(&inputs)[self.output]
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let mut formulas = FormulaExport::new(features);
        let inputs: Vec<Value> = self.inputs.iter().map(|input| formulas.write(graph, input)).collect();
        let inputs = graph.beside(&inputs.iter().collect::<Vec<_>>());
        self.network.export(graph, &inputs, self.output)
    }

    fn describe(&self) -> serde_json::Value {
        let mut description = self.network.describe();
        if let Some(fields) = description.as_object_mut() {
            fields.insert("joint".to_owned(), (self.network.output_count() > 1).into());
        }
        description
    }
}
