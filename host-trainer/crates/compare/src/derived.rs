//! What is added to the prediction of an engine that was derived from a graph.

use graph::GraphOrigin;
use learn::predict::{Prediction, RuntimeCorrection};
use shared::engine::{Diagnostic, Engine};
use shared::failure::Failure;

/// Predicts an engine; called only for engines whose times were not measured.
pub type Forecast<'a> = dyn Fn(&Engine, &[Diagnostic]) -> Result<Prediction, Failure> + 'a;

/// Adds to the prediction of an engine what its graph does not tell: corrections of the run time, and remarks, which come before
/// the other warnings. `forecast` predicts variants of the engine.
///
/// # Errors
/// What `forecast` refuses.
pub fn add_origin(
    prediction: &mut Prediction,
    engine: &Engine,
    origin: &GraphOrigin,
    forecast: &Forecast<'_>,
) -> Result<(), Failure> {
    if let Some(listed) = prediction.totals.runtime.whole() {
        let total = |variant: &Engine| -> Result<Option<f64>, Failure> {
            Ok(forecast(variant, &[])?.totals.runtime.whole().map(|ms| ms.0))
        };
        let corrections = origin.corrections(engine, listed.0, total)?;
        prediction.corrections = corrections
            .into_iter()
            .map(|c| RuntimeCorrection {
                what: c.what.to_owned(),
                lower_ms: c.lower_ms,
                median_ms: c.median_ms,
                upper_ms: c.upper_ms,
                engines: c.engines,
            })
            .collect();
    }
    let remarks = origin.remarks(prediction.layer_runtimes());
    prediction.warnings.splice(..0, remarks);
    Ok(())
}
