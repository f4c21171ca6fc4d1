//! Reading engines from the body of a request.

use super::budgets;
use super::options::PredictOptions;
use crate::error::ApiError;
use crate::settings::Limits;
use graph::{GraphOrigin, is_onnx_content, read_graph};
use shared::engine::{Budgets, Diagnostic, Engine, EngineInfoError, batch, parse};

/// The engines of a request.
#[derive(Debug)]
pub(super) struct EngineRequest {
    /// The device, where the request names one.
    pub(super) device: Option<String>,
    /// The budgets of each engine.
    pub(super) budgets: Budgets,
    /// Whether the body is a document of several engines. The response is one too then.
    pub(super) is_batch: bool,
    /// The engines, each parsed or with the reason why not.
    pub(super) engines: Vec<NamedEngine>,
}

/// An engine with its name.
#[derive(Debug)]
pub(super) struct NamedEngine {
    pub(super) name: String,
    pub(super) profile: usize,
    pub(super) parsed: Result<(Engine, Vec<Diagnostic>), ApiError>,
    /// What is said of an engine that was derived from an ONNX graph.
    pub(super) graph: Option<GraphOrigin>,
}

/// Reads a body: one engine info of any dialect, one ONNX graph, or several engines in one document.
///
/// # Errors
/// A malformed document of several engines, a body that is neither an engine info nor a graph, more layers than the limit.
pub(super) fn read(body: &[u8], options: &PredictOptions, limits: &Limits) -> Result<EngineRequest, ApiError> {
    if is_onnx_content(body) {
        let opened = read_graph(body, &options.graph()?).map_err(ApiError::from)?;
        return single(Ok((opened.engine, opened.diagnostics)), opened.graph, options)?.within(limits);
    }
    let several =
        batch(body, limits.engines).map_err(|e| ApiError::unprocessable("bad_batch", e.message).place(e.place))?;
    let Some(several) = several else {
        let parsed = parse(body).map_err(|e| refusal("the body", &e))?;
        return single(Ok(parsed), None, options)?.within(limits);
    };
    let profile = several.profile.unwrap_or(options.profile);
    let engines = several.engines.into_iter().enumerate().map(|(index, engine)| NamedEngine {
        name: engine.name.unwrap_or_else(|| format!("engines[{index}]")),
        profile: engine.profile.unwrap_or(profile),
        parsed: parse(&engine.engine_info).map_err(|e| refusal(&format!("engines[{index}].engine_info"), &e)),
        graph: None,
    });
    let engines = EngineRequest {
        device: several.device.or_else(|| options.device.clone()),
        budgets: budgets::of_request(options, several.budgets)?,
        is_batch: true,
        engines: engines.collect(),
    };
    engines.within(limits)
}

/// The request of one engine.
fn single(
    parsed: Result<(Engine, Vec<Diagnostic>), ApiError>,
    graph: Option<GraphOrigin>,
    options: &PredictOptions,
) -> Result<EngineRequest, ApiError> {
    let name = options.name.clone().unwrap_or_else(|| "engine".to_owned());
    let engines = vec![NamedEngine { name, profile: options.profile, parsed, graph }];
    let budgets = budgets::of_request(options, Budgets::default())?;
    Ok(EngineRequest { device: options.device.clone(), budgets, is_batch: false, engines })
}

impl EngineRequest {
    fn within(self, limits: &Limits) -> Result<Self, ApiError> {
        let layers: usize = self.engines.iter().flat_map(|e| &e.parsed).map(|(engine, _)| engine.layers.len()).sum();
        if layers > limits.layers {
            let message = format!("there are {layers} layers, more than the {} that are predicted", limits.layers);
            return Err(ApiError::too_large(message));
        }
        Ok(self)
    }
}

fn refusal(what: &str, error: &EngineInfoError) -> ApiError {
    let refusal = ApiError::unprocessable("no_engine_info", format!("{what} {error}")).help(error.help());
    match error.place() {
        Some(place) => refusal.place(place),
        None => refusal,
    }
}
