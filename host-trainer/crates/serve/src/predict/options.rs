//! The query of a request for predictions.

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
    /// Budget for the run time, ms.
    pub(crate) budget_runtime_ms: Option<f64>,
    /// Budget for the energy, mJ.
    pub(crate) budget_energy_mj: Option<f64>,
    /// Budget for the mean power, W.
    pub(crate) budget_power_w: Option<f64>,
}
