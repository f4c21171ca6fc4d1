//! The kind that learns by a multi-layer perceptron: sizes and work of a layer on logarithmic scales in, power or run time
//! out, or both from one network.

use super::physics::{self, FEW_NETWORKS, rounded};
use super::work_inputs;
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::{Candidate, Definition};
use crate::model::{Dataset, LayerTable, Predictor, Target};
use estimators::FitError;
use estimators::formula::{Formula, FormulaExport};
use estimators::mlp::{Data, Network, Settings, TargetScale, train};
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// What `tune` searches: the reference's space for perceptrons, with its widths in reach of ours.
pub(super) const SEARCH_SPACE: &str = r#"
mlp.hidden = { list = { low = 4, high = 128, log = true }, length = [1, 3] }
mlp.dropouts = { list = { low = 0.0, high = 0.25 }, length = "mlp.hidden" }
mlp.learning_rate = { low = 1e-4, high = 1e-2, log = true }
mlp.weight_decay = { low = 1e-7, high = 1e-2, log = true }
mlp.batch_size = [16, 32, 64, 128]
mlp.gradient_norm = [0.0, 1.0]
"#;

pub(super) static DEFINITION: Definition = Definition {
    name: "mlp",
    description: "A multi-layer perceptron over sizes and work; learns from layers",
    estimator: |plan, _| Box::new(MlpEstimator::new(plan.options())),
    search_space: &[SEARCH_SPACE],
    candidate: Some(Candidate {
        complexity: 4,
        estimator: |plan| Box::new(MlpEstimator::new(plan.options())),
        takes_part: |plan, data| few_enough(&plan.options(), data),
        combines: None,
        options: |plan| Some(("mlp", serde_json::json!(plan.options::<Settings>()))),
    }),
    baseline: false,
};

pub(super) use estimators::mlp::Settings as Options;

impl crate::fit::kind_options::Options for Settings {
    const SECTION: Option<&'static str> = Some("mlp");

    fn check(&self) -> Result<(), String> {
        Self::check(self).map_err(|message| message.replacen('`', "`mlp.", 1))
    }
}

/// Whether a perceptron takes part in the automatic choice: training takes long where rows are many, and that it did well on
/// few networks is chance.
pub(super) fn few_enough(settings: &Settings, data: &Dataset) -> bool {
    data.network_count() >= FEW_NETWORKS && data.len() <= settings.auto_rows
}

/// Fits perceptrons.
#[derive(Debug, Clone)]
pub struct MlpEstimator {
    settings: Settings,
}

impl MlpEstimator {
    /// An estimator with checked settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Whether its predictions may be negative.
    pub(super) fn may_be_negative(&self) -> bool {
        self.settings.target_scale == TargetScale::Signed
    }

    fn fit_layers(&self, data: &Dataset) -> Result<MlpPredictor, FitError> {
        let (table, rows) = data.single_layers().ok_or(FitError::TotalsUnsupported { kind: DEFINITION.name })?;
        let inputs = self.inputs(table);
        let rows: Vec<f64> = rows
            .into_iter()
            .flat_map(|row| {
                let row = rounded(row);
                inputs.iter().map(|input| input.value(&row)).collect::<Vec<_>>()
            })
            .collect();
        // One network's outputs come in one order whatever the target, so that both targets' models hold the same network.
        let other = self.other_target(data);
        let (targets, output) = match (&other, data.target) {
            (None, _) => (data.measured.clone(), 0),
            (Some(other), Target::Power) => (side_by_side(&data.measured, other), 0),
            (Some(other), Target::Runtime) => (side_by_side(other, &data.measured), 1),
        };
        let samples = Data {
            inputs: inputs.len(),
            outputs: if other.is_some() { 2 } else { 1 },
            rows: &rows,
            targets: &targets,
            chosen: None,
            groups: &data.networks,
        };
        Ok(MlpPredictor { network: train(&samples, &self.settings)?, inputs, output })
    }

    /// What the network learns beside the target, if it is to and there is anything to learn: values above zero.
    fn other_target(&self, data: &Dataset) -> Option<Vec<f64>> {
        let known = |y: &f64| if *y > 0.0 { *y } else { f64::NAN };
        let values: Vec<f64> = data.other_target.iter().map(known).collect();
        (self.settings.joint && values.iter().any(|y| !y.is_nan())).then_some(values)
    }

    fn inputs(&self, table: &LayerTable) -> Vec<Formula> {
        if self.settings.work_inputs {
            work_inputs::of(table.table)
        } else {
            (0..table.features.len()).map(Formula::Column).collect()
        }
    }
}

impl Estimator for MlpEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        physics::features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        Ok(FittedModels::of([self.fit_layers(data)?]))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({ "mlp": self.settings })
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
