//! The query of a request for predictions.

use crate::error::ApiError;
use graph::{Build, Options, input_shape};
use serde::Deserialize;
use utoipa::IntoParams;

/// The query of a request for predictions. Members of the body take precedence.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PredictOptions {
    /// The device [default: the default device].
    pub(crate) device: Option<String>,
    /// The optimisation profile of engines that have several.
    #[serde(default)]
    pub(crate) profile: usize,
    /// The engine's name in the response [default: engine].
    pub(crate) name: Option<String>,
    /// For an ONNX graph: number formats that the builder may use, fp32, fp16, bf16, int8 or best [default: fp16].
    pub(crate) precision: Option<String>,
    /// For an ONNX graph: the batch size, which replaces the outermost extent of every input.
    pub(crate) batch: Option<u32>,
    /// For an ONNX graph: shapes of inputs, such as images=1x3x640x640, separated by semicolons.
    pub(crate) input_shape: Option<String>,
    /// Budget for the run time, ms.
    pub(crate) budget_runtime_ms: Option<f64>,
    /// Budget for the energy, mJ.
    pub(crate) budget_energy_mj: Option<f64>,
    /// Budget for the mean power, W.
    pub(crate) budget_power_w: Option<f64>,
}

impl PredictOptions {
    /// What is asked of a graph.
    ///
    /// # Errors
    /// An unknown precision, a batch of 0, a malformed shape.
    pub(super) fn graph(&self) -> Result<Options, ApiError> {
        let precision = self.precision.as_deref().map_or(Ok(Build::default()), str::parse);
        let shapes = self.input_shape.iter().flat_map(|text| text.split(';')).map(input_shape);
        if self.batch == Some(0) {
            return Err(ApiError::bad_request("a batch has at least one image"));
        }
        Ok(Options {
            precision: precision.map_err(ApiError::bad_request)?,
            input_shapes: shapes.collect::<Result<_, _>>().map_err(ApiError::bad_request)?,
            batch: self.batch,
            ..Options::default()
        })
    }
}
