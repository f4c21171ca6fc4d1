//! What inferences and readings together tell about the layers.

use super::batch::InferenceCounts;
use super::calibration::CalibrationSubset;
use super::excerpt::Excerpt;
use super::layer_times::LayerTimes;
use super::normal_equations::NormalEquations;
use super::predictability::{PREDICTABLE, inflation, predictability};
use super::response::FittedResponse;
use super::solve::{self, Solution};
use shared::run_folder::Diagnostics;
use shared::units::{Millis, Watts};

/// Everything that inferences and readings together tell.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Inferences found.
    pub counts: InferenceCounts,
    /// Measurements that could not be read.
    pub diagnostics: Diagnostics,
    /// Durations and time outside the layers.
    pub times: LayerTimes,
    /// The sensor's response that was used.
    pub response: FittedResponse,
    /// Readings that were new and saw nothing but inferences.
    pub samples: u64,
    /// Readings that each component was seen in; independent ones.
    pub independent: Vec<f64>,
    /// Raw readings that fell into each component's time.
    pub readings: Vec<u64>,
    /// Mean power over inferences and the time between them, as the readings have it.
    pub mean: Option<Watts>,
    /// Standard error of that.
    pub mean_error: Watts,
    /// The fit; absent where no reading saw whole inferences.
    pub solution: Option<Solution>,
    /// How many readings count as one independent one, from the correlation of residuals.
    pub inflation: f64,
    /// Share of the readings' scatter that a fit to other readings predicts.
    pub predicted: Option<f64>,
    /// Each component's share of an inference's time.
    pub shares: Vec<f64>,
    /// Mean time from one inference to the next.
    pub period: Millis,
    /// Some inferences with the readings in them, for a picture.
    pub excerpt: Excerpt,
}

/// What one pass over inferences and readings gathered.
pub(crate) struct Gathered {
    /// Layers of an inference.
    pub(crate) layers: usize,
    /// Inferences found.
    pub(crate) counts: InferenceCounts,
    /// Measurements that could not be read.
    pub(crate) diagnostics: Diagnostics,
    /// Durations and time outside the layers.
    pub(crate) times: LayerTimes,
    /// The sensor's response that was used.
    pub(crate) response: FittedResponse,
    /// Sums over the readings.
    pub(crate) sums: NormalEquations,
    /// Raw readings that fell into each component's time.
    pub(crate) readings: Vec<u64>,
    /// The run's beginning.
    pub(crate) subset: CalibrationSubset,
}

/// The mean power, and the fit behind it.
struct Fit {
    mean: Option<Watts>,
    mean_error: Watts,
    solution: Option<Solution>,
    inflation: f64,
    predicted: Option<f64>,
}

impl Gathered {
    /// What it all comes to.
    pub(crate) fn conclude(self) -> Evidence {
        let mut durations: Vec<f64> = (0..self.layers).map(|l| self.times.mean(l).0).collect();
        durations.push(self.times.mean_outside().0);
        let period_ms: f64 = durations.iter().sum();
        let shares: Vec<f64> = durations.iter().map(|d| d / period_ms.max(f64::MIN_POSITIVE)).collect();
        let fit = self.fit(&durations, &shares);
        Evidence {
            independent: self.independent(),
            counts: self.counts,
            diagnostics: self.diagnostics,
            times: self.times,
            response: self.response,
            samples: self.sums.count,
            readings: self.readings,
            mean: fit.mean,
            mean_error: fit.mean_error,
            solution: fit.solution,
            inflation: fit.inflation,
            predicted: fit.predicted,
            shares,
            period: Millis(period_ms),
            excerpt: self.subset.excerpt(),
        }
    }

    /// Readings that saw each component, neighbours that tell the same counted once.
    fn independent(&self) -> Vec<f64> {
        let span_us = self.times.span_us.map_or(0.0, |(a, b)| b - a);
        let memory_us = self.response.window_us.max(2.0 * self.response.lag_us);
        let spacing_us = span_us / self.sums.count.max(1) as f64;
        let thinning = if memory_us > 0.0 { (spacing_us / memory_us).min(1.0) } else { 1.0 };
        self.sums.seen.iter().take(self.layers + 1).map(|&n| n as f64 * thinning).collect()
    }

    /// Fits the powers. `durations` are each component's mean time in an inference in ms, `shares` their shares of it.
    fn fit(&self, durations: &[f64], shares: &[f64]) -> Fit {
        let sums = &self.sums;
        let mut fit =
            Fit { mean: None, mean_error: Watts(f64::INFINITY), solution: None, inflation: 1.0, predicted: None };
        if sums.count == 0 {
            if let Some((mean, deviation)) = self.subset.plain_mean(self.response.lag_us) {
                (fit.mean, fit.mean_error) = (Some(Watts(mean)), Watts(deviation));
            }
            return fit;
        }
        let predicted = predictability(&self.subset, self.layers + 1, self.response);
        fit.predicted = Some(predicted);
        let seen = sums.total / sums.count as f64;
        fit.mean = Some(Watts(seen));
        let seen_shares: Vec<f64> = sums.weights.iter().map(|w| w / sums.count as f64).collect();
        let Some(first) = solve::solve(sums, shares, seen, 1.0) else { return fit };
        fit.inflation = inflation(&self.subset, &first.watts, self.response);
        // Readings that by chance saw some phases more often than others saw another mean than the run had.
        let corrected = |s: &Solution| {
            seen + shares.iter().zip(&seen_shares).zip(&s.watts).map(|((w, a), p)| (w - a) * p).sum::<f64>()
        };
        let second = solve::solve(sums, shares, corrected(&first), fit.inflation).unwrap_or(first);
        fit.solution = if predicted < PREDICTABLE {
            // What readings do not depend on, they cannot tell; a fit would only dress up noise.
            Some(solve::ignorant(shares.len(), shares, seen, second.noise_watts))
        } else {
            let mean = corrected(&second);
            fit.mean = Some(Watts(mean));
            solve::solve(sums, shares, mean, fit.inflation)
                .map(|s| with_model_error(s, durations, self.response.gap_us, predicted))
        };
        let error = sums.mean_error().unwrap_or(second.noise_watts * (fit.inflation / sums.count as f64).sqrt());
        fit.mean_error = Watts(error);
        fit
    }
}

/// Adds what the timeline's own error does to each layer. `durations` are in ms. A boundary that is off by `t` moves `t·(difference of power)`
/// from one layer to its neighbour. Stamps are whole microseconds; gaps between layers, where they had to be found, are
/// one number for all. And what a fit does not predict may be the response's fault rather than noise: half of the usual
/// spread of layer powers, times that share, is added for it.
fn with_model_error(mut solution: Solution, durations: &[f64], gap_us: f64, predicted: f64) -> Solution {
    const STAMP_US: f64 = 0.3;
    let misfit = 0.5 * solve::usual_spread(solution.watts[durations.len() - 1]) * (1.0 - predicted).clamp(0.0, 1.0);
    let layers = durations.len() - 1;
    let boundary_ms = (STAMP_US.powi(2) + (0.2 * gap_us).powi(2) * layers as f64).sqrt() * 1e-3;
    let watts = solution.watts.clone();
    for layer in 0..layers {
        let before = watts[if layer == 0 { layers } else { layer - 1 }];
        let after = watts[layer + 1];
        let steps = ((watts[layer] - before).powi(2) + (watts[layer] - after).powi(2)).sqrt();
        let error = boundary_ms / durations[layer].max(boundary_ms) * steps;
        let variance = solution.deviation[layer].powi(2) + error * error + misfit * misfit;
        solution.deviation[layer] = variance.sqrt().min(solution.prior_deviation[layer].max(solution.deviation[layer]));
    }
    solution
}
