//! From evidence to the figures of the report.

use super::choice::choose;
use super::evidence::Evidence;
use super::groups::{MEASURED_WITHIN, group};
use super::method::Method;
use super::quality::{LayerGroup, LayerReport, OutsidePower, Verdict};
use super::share;
use super::solve::{self, Prior, Solution, half_width};
use shared::engine::{Engine, Layer};
use shared::units::Watts;

/// A reading narrows a power down when it leaves less than this of the deviation that there was before.
const MEASURED: f64 = 0.5;
/// Spread of the logarithm of a layer's power above idle that is expected where nothing was measured of it: layers of one
/// network differ by a factor of more than two.
const SHARED: f64 = 0.5;
/// Share of the readings' scatter that a fit has to predict to say anything of the time outside layers.
const PREDICTED: f64 = 0.3;
/// Above this, it leaves the power as unknown as before.
const UNKNOWN: f64 = 0.9;

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
    /// Layers that are measured together.
    pub(crate) groups: Vec<LayerGroup>,
    /// Power outside the layers.
    pub(crate) outside: OutsidePower,
}

/// Works out the layers' figures. `mean` is the mean power over inferences and the time between them.
pub(crate) fn layer_figures(
    measured: &MeasuredLayers,
    found: &Evidence,
    asked: Method,
    mean: Option<Watts>,
    idle: Option<Watts>,
) -> LayerFigures {
    let layers = measured.names.len();
    let solution = physical_solution(found, layers, mean, idle);
    let ratio = |l: usize| solution.as_ref().map_or(1.0, |s| s.deviation[l] / s.prior_deviation[l].max(1e-12));
    let time: f64 = found.shares[..layers].iter().sum();
    let told: f64 = (0..layers).filter(|&l| ratio(l) < MEASURED).fold(0.0, |sum, l| sum + found.shares[l]);
    let identified = (solution.is_some() && time > 0.0).then(|| told / time);
    let left: f64 = (0..layers).map(|l| found.shares[l] * ratio(l).min(1.0).powi(2)).sum();
    let explained = if time > 0.0 { 1.0 - left / time } else { 0.0 };
    let (method, because) = choose(asked, identified, explained, found);
    // Where readings tell neither the layers nor the time outside them, a fit would only add its noise.
    // A fit through a slow filter, which predicts next to nothing of the readings, says nothing of that time either.
    let outside_known = ratio(layers) < MEASURED
        && (found.experiment.is_some() || found.checks.predicted.is_some_and(|part| part >= PREDICTED));
    let unknown = (method == Method::Share && !outside_known)
        .then(|| mean.map(|mean| ignorance(found, layers, mean, idle)))
        .flatten();
    let mut watts: Option<Vec<f64>> = unknown.as_ref().or(solution.as_ref()).map(|s| s.watts.clone());
    let durations: Vec<f64> = (0..layers).map(|l| found.times.mean(l).0).collect();
    if let (Method::Share, Some(watts)) = (method, watts.as_mut())
        && let Some(level) = share::level(&durations, watts)
    {
        watts[..layers].fill(level);
    }
    let floor = idle.filter(|idle| mean.is_some_and(|mean| *idle < mean)).unwrap_or_default();
    let outside = found.shares.get(layers).copied().unwrap_or(0.0);
    let interval = |s: &Solution, l: usize, power: f64| {
        if method == Method::Share {
            return shared_interval(power, floor.0, outside);
        }
        let half = half_width(s.deviation[l]);
        ((power - half).max(0.0), power + half)
    };
    let report = |l: usize| {
        let runs = found.times.runs[l];
        let power = watts.as_ref().filter(|_| runs > 0).map(|w| w[l]);
        let interval = power.zip(solution.as_ref()).map(|(power, s)| interval(s, l, power));
        let verdict = match (power.zip(interval), ratio(l), method) {
            (Some((p, (_, high))), r, Method::Deconvolve) if r < MEASURED && high - p < MEASURED_WITHIN * p => {
                Verdict::Measured
            }
            (Some(_), r, Method::Deconvolve) if r < UNKNOWN => Verdict::Attributed,
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
            power_low: interval.map(|i| Watts(i.0)),
            power_high: interval.map(|i| Watts(i.1)),
            energy: power.zip(runtime).map(|(p, runtime)| Watts(p) * runtime),
            readings: found.readings[l],
            independent_samples: found.independent[l],
            verdict,
            window_rows: None,
        }
    };
    let reports: Vec<LayerReport> = (0..layers).map(report).collect();
    let groups = if method == Method::Deconvolve { group(&reports, found) } else { Vec::new() };
    let outside = OutsidePower {
        power: watts.map(|w| Watts(w[layers])),
        half: solution.as_ref().map(|s| Watts(half_width(s.deviation[layers]))),
        measured: outside_known,
    };
    LayerFigures { method, because, identified, layers: reports, groups, outside }
}

/// The 90 % interval of a layer's power where measured energy was shared out by time. Above idle the layers' powers are
/// log-normal around their mean; that lies the lower, the more of the energy was spent outside the layers, which is
/// anything from nothing above idle to the layers' own power for `outside`, that time's share of all.
fn shared_interval(power: f64, idle: f64, outside: f64) -> (f64, f64) {
    let net = (power - idle).max(0.0);
    let spread = half_width(SHARED);
    let low = spread.hypot((1.0 - outside).max(0.1).ln());
    (power - net * (1.0 - (-low).exp()), idle + net * spread.exp())
}

/// The fit where it can be true, else the level for every layer. A handful of inferences can put the layers below nothing
/// and the time between them above everything: no answer.
fn physical_solution(found: &Evidence, layers: usize, mean: Option<Watts>, idle: Option<Watts>) -> Option<Solution> {
    let physical = |s: &Solution| s.watts.iter().zip(&found.shares[..layers]).map(|(w, t)| w * t).sum::<f64>() > 0.0;
    found.solution.clone().filter(physical).or_else(|| mean.map(|mean| ignorance(found, layers, mean, idle)))
}

/// What is expected where nothing was measured but the mean power.
fn ignorance(found: &Evidence, layers: usize, mean: Watts, idle: Option<Watts>) -> Solution {
    let prior = Prior::above_idle(mean.0, idle.map(|idle| idle.0), found.shares[layers]);
    solve::ignorant(&found.shares, mean.0, 0.0, &prior)
}
