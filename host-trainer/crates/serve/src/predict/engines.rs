//! From a request's body to engines.

use super::Options;
use super::budgets;
use crate::error::ApiError;
use crate::settings::Limits;
use shared::engine::{Budgets, Diagnostic, Engine, EngineInfoError, batch, parse};

/// What a body holds.
#[derive(Debug)]
pub(super) struct Engines {
    /// The device named, if any.
    pub(super) device: Option<String>,
    /// What each engine may cost.
    pub(super) budgets: Budgets,
    /// Whether the body was a document of several engines; the answer is one too then.
    pub(super) is_batch: bool,
    /// The engines, each read or with the reason why not.
    pub(super) engines: Vec<Named>,
}

/// An engine with its name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) profile: usize,
    pub(super) read: Result<(Engine, Vec<Diagnostic>), ApiError>,
}

/// Reads a body: one engine info of any dialect, or several engines in one document.
///
/// # Errors
/// A document of several engines that is wrong, one engine info that is none, more layers than are predicted.
pub(super) fn read(body: &[u8], options: &Options, limits: &Limits) -> Result<Engines, ApiError> {
    let several =
        batch(body, limits.engines).map_err(|e| ApiError::unprocessable("bad_batch", e.message).place(e.place))?;
    let Some(several) = several else {
        let read = parse(body).map_err(|e| refusal("the body", &e))?;
        let name = options.name.clone().unwrap_or_else(|| "engine".to_owned());
        let engines = vec![Named { name, profile: options.profile, read: Ok(read) }];
        let budgets = budgets::of(options, Budgets::default())?;
        let engines = Engines { device: options.device.clone(), budgets, is_batch: false, engines };
        return engines.capped(limits);
    };
    let profile = several.profile.unwrap_or(options.profile);
    let engines = several.engines.into_iter().enumerate().map(|(index, engine)| Named {
        name: engine.name.unwrap_or_else(|| format!("engines[{index}]")),
        profile: engine.profile.unwrap_or(profile),
        read: parse(&engine.engine_info).map_err(|e| refusal(&format!("engines[{index}].engine_info"), &e)),
    });
    let engines = Engines {
        device: several.device.or_else(|| options.device.clone()),
        budgets: budgets::of(options, several.budgets)?,
        is_batch: true,
        engines: engines.collect(),
    };
    engines.capped(limits)
}

impl Engines {
    fn capped(self, limits: &Limits) -> Result<Self, ApiError> {
        let layers: usize = self.engines.iter().flat_map(|e| &e.read).map(|(engine, _)| engine.layers.len()).sum();
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
