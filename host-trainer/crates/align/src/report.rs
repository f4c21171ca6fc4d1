//! From evidence to the figures of the report.

use super::choice::choose;
use super::evidence::Evidence;
use super::method::Method;
use super::quality::{LayerReport, Verdict};
use super::share;
use super::solve::{self, Solution, half_width};
use super::survey::Survey;
use shared::engine::{Engine, Layer};
use shared::units::Watts;

/// A reading narrows a power down when it leaves less than this of the deviation that there was before.
const MEASURED: f64 = 0.5;
/// Above this, it leaves the power as unknown as before.
const UNKNOWN: f64 = 0.9;
/// A measured power has an interval of less than this to either side.
const MEASURED_WITHIN: f64 = 0.15;

/// The layers that a run measured, in execution order, with what the engine info says of them.
#[derive(Debug, Default)]
pub(crate) struct MeasuredLayers {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// The engine info, if there is one.
    pub(crate) engine: Option<Engine>,
    /// Their positions in the engine info.
    pub(crate) engine_index: Vec<Option<usize>>,
}

impl MeasuredLayers {
    /// The engine's layer behind a measured one.
    pub(crate) fn engine_layer(&self, layer: usize) -> Option<&Layer> {
        self.engine_index[layer].zip(self.engine.as_ref()).and_then(|(i, e)| e.layers.get(i))
    }

    /// TensorRT's type of a layer.
    pub(crate) fn layer_type(&self, layer: usize) -> &str {
        self.engine_layer(layer).map_or("Unknown", |l| l.layer_type.as_str())
    }
}

/// What evidence comes to for the layers.
#[derive(Debug)]
pub(crate) struct LayerFigures {
    /// The method used.
    pub(crate) method: Method,
    /// Why.
    pub(crate) because: String,
    /// Share of the run time in layers whose power the readings tell; none where no power was measured.
    pub(crate) identified: Option<f64>,
    /// Layers in execution order.
    pub(crate) layers: Vec<LayerReport>,
    /// Power outside the layers.
    pub(crate) outside: Option<Watts>,
}

/// Works out the layers' figures. `mean` is the mean power over inferences and the time between them.
pub(crate) fn layer_figures(
    measured: &MeasuredLayers,
    found: &Evidence,
    survey: &Survey,
    asked: Method,
    mean: Option<Watts>,
    idle: Option<Watts>,
) -> LayerFigures {
    let layers = measured.names.len();
    let solution = physical_solution(found, layers, mean);
    let ratio = |l: usize| solution.as_ref().map_or(1.0, |s| s.deviation[l] / s.prior_deviation[l].max(1e-12));
    let time: f64 = found.shares[..layers].iter().sum();
    let told = (0..layers).filter(|&l| ratio(l) < MEASURED).fold(0.0, |sum, l| sum + found.shares[l]);
    let identified = (solution.is_some() && time > 0.0).then(|| told / time);
    let (method, because) = choose(asked, identified, found, survey);
    let mut watts: Option<Vec<f64>> = solution.as_ref().map(|s| s.watts.clone());
    if let (Method::Share, Some(watts)) = (method, watts.as_mut()) {
        share_out(measured, found, idle, watts);
    }
    let report = |l: usize| {
        let runs = found.times.runs[l];
        let power = watts.as_ref().filter(|_| runs > 0).map(|w| w[l]);
        let half = solution.as_ref().map(|s| half_width(s.deviation[l]));
        let verdict = match (power.zip(half), ratio(l), method) {
            (Some((p, half)), r, Method::Deconvolve) if r < MEASURED && half < MEASURED_WITHIN * p => Verdict::Measured,
            (Some(_), r, _) if r < UNKNOWN => Verdict::Attributed,
            _ => Verdict::NotIdentifiable,
        };
        let runtime = (runs > 0).then(|| found.times.mean(l));
        LayerReport {
            index: l,
            engine_index: measured.engine_index[l],
            name: measured.names[l].clone(),
            layer_type: measured.layer_type(l).to_owned(),
            runs,
            runtime,
            runtime_deviation: (runs > 1).then(|| found.times.deviation(l)),
            power: power.map(Watts),
            power_low: power.zip(half).map(|(p, h)| Watts((p - h).max(0.0))),
            power_high: power.zip(half).map(|(p, h)| Watts(p + h)),
            energy: power.zip(runtime).map(|(p, runtime)| Watts(p) * runtime),
            readings: found.readings[l],
            independent_samples: found.independent[l],
            verdict,
            window_rows: None,
        }
    };
    let reports = (0..layers).map(report).collect();
    LayerFigures { method, because, identified, layers: reports, outside: watts.map(|w| Watts(w[layers])) }
}

/// The fit where it can be true, else the mean for every layer. A handful of inferences can put the layers below nothing
/// and the time between them above everything: no answer.
fn physical_solution(found: &Evidence, layers: usize, mean: Option<Watts>) -> Option<Solution> {
    let physical = |s: &Solution| s.watts.iter().zip(&found.shares[..layers]).map(|(w, t)| w * t).sum::<f64>() > 0.0;
    let ignorant = || mean.map(|mean| solve::ignorant(layers + 1, &found.shares, mean.0, 0.0));
    found.solution.clone().filter(physical).or_else(ignorant)
}

/// Shares the layers' energy out by activity; the layers' energy as a whole stays. `watts` are the components' powers.
fn share_out(measured: &MeasuredLayers, found: &Evidence, idle: Option<Watts>, watts: &mut [f64]) {
    let layers = measured.names.len();
    let durations: Vec<f64> = (0..layers).map(|l| found.times.mean(l).0).collect();
    let time: f64 = durations.iter().sum();
    if time <= 0.0 {
        return;
    }
    let level = durations.iter().zip(watts.iter()).map(|(d, p)| d * p).sum::<f64>() / time;
    let shortest = durations.iter().copied().filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
    let activities: Vec<Option<f64>> =
        (0..layers).map(|l| share::activity(measured.engine_layer(l)?, durations[l], shortest)).collect();
    let idle = idle.map_or(0.6 * level, |idle| idle.0);
    watts[..layers].copy_from_slice(&share::share(&durations, &activities, level, idle));
}
