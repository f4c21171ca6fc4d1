//! Runs ONNX models: by the embedded runtime, or by a native ONNX Runtime where its library is given.

use super::embedded::Plan;
use super::error::OnnxError;
use super::proto::{ModelProto, NodeProto, TensorProto, ValueInfoProto};
use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;
use prost::Message;
use shared::limits;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
static ENVIRONMENT: OnceLock<Result<std::sync::Arc<Environment>, String>> = OnceLock::new();

/// Chooses a native ONNX Runtime library for this process. Must be called before the first model is loaded; later calls
/// have no effect.
pub fn use_native_library(path: &Path) {
    let _ = LIBRARY.set(path.to_owned());
}

/// Starts the native library, once.
fn environment(library: &Path) -> Result<&'static std::sync::Arc<Environment>, OnnxError> {
    ENVIRONMENT
        .get_or_init(|| {
            let builder = ort::init_from(library).map_err(|e| e.to_string())?;
            let built = builder.with_name("host-trainer").with_telemetry(false).build();
            built.map(Into::into).map_err(|e| e.to_string())
        })
        .as_ref()
        .map_err(|message| OnnxError::Library(library.to_owned(), message.clone()))
}

/// A runtime's error, with what lies behind it.
fn failed(error: impl std::fmt::Display) -> OnnxError {
    OnnxError::Runtime(format!("{error:#}"))
}

/// A loaded model of our shape: rows of features in, one number a row out.
pub struct Model {
    runtime: Runtime,
    output: String,
    feature_count: usize,
}

enum Runtime {
    Embedded(Plan),
    // ONNX Runtime's sessions are thread safe; the binding wants exclusive access all the same.
    Native(Box<Mutex<Session>>),
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("output", &self.output).field("feature_count", &self.feature_count).finish()
    }
}

impl Model {
    /// Loads a model from memory. Before any runtime sees it, its shape, size and operators are checked.
    ///
    /// # Errors
    /// When the bytes are no ONNX model, none of ours, or the runtime refuses them.
    pub fn load(bytes: &[u8]) -> Result<Self, OnnxError> {
        let (model, output, feature_count) = inspect(bytes)?;
        let runtime = match LIBRARY.get() {
            None => Runtime::Embedded(Plan::load(&model, feature_count)?),
            Some(library) => {
                let mut builder = Session::builder(environment(library)?).map_err(failed)?;
                Runtime::Native(Box::new(Mutex::new(builder.commit_from_memory(bytes).map_err(failed)?)))
            }
        };
        Ok(Self { runtime, output, feature_count })
    }

    /// Number of features a row.
    #[must_use]
    pub fn feature_count(&self) -> usize {
        self.feature_count
    }

    /// Predicts rows, given one after the other.
    ///
    /// # Errors
    /// When the runtime fails, or the number of values is no multiple of the number of features.
    pub fn predict(&self, rows: &[f32]) -> Result<Vec<f32>, OnnxError> {
        if !rows.len().is_multiple_of(self.feature_count) {
            return Err(OnnxError::Runtime(format!("{} values are no rows of {}", rows.len(), self.feature_count)));
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let count = rows.len() / self.feature_count;
        let values = match &self.runtime {
            Runtime::Embedded(plan) => plan.run(rows, self.feature_count)?,
            Runtime::Native(session) => {
                let tensor = TensorRef::from_array_view(([count, self.feature_count], rows)).map_err(failed)?;
                let mut session = session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let outputs = session.run(ort::inputs![super::INPUT => tensor]).map_err(failed)?;
                let output = outputs[self.output.as_str()].try_extract_tensor::<f32>();
                output.map_err(failed)?.1.to_vec()
            }
        };
        if values.len() != count {
            return Err(OnnxError::Runtime(format!("{} predictions for {count} rows", values.len())));
        }
        Ok(values)
    }
}

/// Operators that our models are made of. A model with any other is not loaded.
const OPERATORS: &[&str] = &[
    "Add",
    "Cast",
    "Clip",
    "Concat",
    "Div",
    "Exp",
    "Gather",
    "Greater",
    "Gemm",
    "Log",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Reciprocal",
    "ReduceSum",
    "Relu",
    "Sigmoid",
    "Softplus",
    "Sqrt",
    "Sub",
    "Tanh",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "Ceil",
    "Abs",
    "Floor",
];

/// Checks a model without running it and returns it with its output's name and its number of features.
pub(crate) fn inspect(bytes: &[u8]) -> Result<(ModelProto, String, usize), OnnxError> {
    if bytes.len() as u64 > limits::ONNX_BYTES {
        return Err(OnnxError::Foreign(format!("it has {} bytes", bytes.len())));
    }
    let model = ModelProto::decode(bytes).map_err(|e| OnnxError::Damaged(e.to_string()))?;
    let graph = model.graph.as_ref().ok_or_else(|| OnnxError::Damaged("it has no graph".into()))?;
    let foreign = |message: String| OnnxError::Foreign(message);
    // A function of the model's own could bear an allowed operator's name.
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err(foreign("it defines functions or training steps".into()));
    }
    let allowed = |node: &NodeProto| {
        OPERATORS.contains(&node.op_type.as_str()) && matches!(node.domain.as_str(), "" | "ai.onnx" | "ai.onnx.ml")
    };
    if let Some(node) = graph.node.iter().find(|node| !allowed(node)) {
        let domain = if node.domain.is_empty() { String::new() } else { format!("{}.", node.domain) };
        return Err(foreign(format!("operator {domain}{} is not among those allowed", node.op_type)));
    }
    let attributes = || graph.node.iter().flat_map(|node| &node.attribute);
    if attributes().any(|a| a.g.is_some() || !a.graphs.is_empty()) {
        return Err(foreign("an operator holds a graph of its own".into()));
    }
    let outside = |t: &TensorProto| !t.external_data.is_empty() || t.data_location.unwrap_or(0) != 0;
    if graph.initializer.iter().any(outside) || attributes().any(|a| a.t.iter().chain(&a.tensors).any(outside)) {
        return Err(foreign("its data lie outside the file".into()));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(foreign("it has sparse tensors".into()));
    }
    let [input] = graph.input.as_slice() else { return Err(foreign("it has not exactly one input".into())) };
    let [output] = graph.output.as_slice() else { return Err(foreign("it has not exactly one output".into())) };
    if input.name != super::INPUT {
        return Err(foreign(format!("its input is `{}`, not `{}`", input.name, super::INPUT)));
    }
    let feature_count = columns_of(input).ok_or_else(|| foreign("its input is no matrix of known width".into()))?;
    let output = output.name.clone();
    Ok((model, output, feature_count))
}

fn columns_of(value: &ValueInfoProto) -> Option<usize> {
    match value.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim.as_slice() {
        [_, columns] => columns.dim_value.filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GraphBuilder;

    /// y = 2·x₀·x₁ + log(1 + x₁)
    fn example() -> Vec<u8> {
        let mut graph = GraphBuilder::new();
        let x = graph.input();
        let log = graph.log1p(&x);
        let (first, second) = (graph.columns(&x, &[0]), graph.columns(&x, &[1]));
        let product = graph.apply("Mul", &[&first, &second], vec![]);
        let log = graph.columns(&log, &[1]);
        let both = graph.beside(&[&product, &log]);
        let weights = graph.doubles(&[2.0, 1.0], &[2, 1]);
        let sum = graph.apply("MatMul", &[&both, &weights], vec![]);
        graph.finish(&sum, "runtime", 2, &[("unit", "ms".into())])
    }

    #[test]
    fn a_built_graph_computes_what_it_says() {
        let model = Model::load(&example()).expect("loads");
        let answers = model.predict(&[1.0, 2.0, 3.0, 4.0, 1e6, 1e6]).expect("runs");
        for (answer, [a, b]) in answers.iter().zip([[1.0_f64, 2.0], [3.0, 4.0], [1e6, 1e6]]) {
            let expected = 2.0 * a * b + b.ln_1p();
            assert!((f64::from(*answer) / expected - 1.0).abs() < 1e-6, "{answer} {expected}");
        }
        assert_eq!(model.predict(&[]).expect("no rows"), Vec::<f32>::new());
        assert!(model.predict(&[1.0]).is_err());
    }

    #[test]
    fn damaged_and_foreign_models_are_refused() {
        let good = example();
        assert!(matches!(Model::load(b"{\"Layers\": []}"), Err(OnnxError::Damaged(_))));
        assert!(Model::load(&good[..good.len() / 2]).is_err());
        let mut graph = GraphBuilder::new();
        let x = graph.input();
        let loop_output = graph.apply("Loop", &[&x], vec![]);
        let bytes = graph.finish(&loop_output, "runtime", 2, &[]);
        assert!(matches!(Model::load(&bytes), Err(OnnxError::Foreign(message)) if message.contains("Loop")));
    }
}
