//! What inferences and readings together tell about the layers.

use super::batch::InferenceCounts;
use super::calibration::CalibrationSubset;
use super::excerpt::Excerpt;
use super::families::FamilySource;
use super::found::Found;
use super::lagged::LaggedMean;
use super::layer_times::LayerTimes;
use super::misfit::{Phases, stability};
use super::normal_equations::NormalEquations;
use super::nuisance::{NuisanceColumns, Varied};
use super::response::FittedResponse;
use super::solve::{self, Prior, Solution};
use super::together::{GroupErrors, spread};
use shared::run_folder::Diagnostics;
use shared::sensor::SensorFamily;
use shared::units::{Millis, Watts};

/// How a fit was checked.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct FitChecks {
    /// Share of the readings' scatter that a fit to other readings predicts.
    pub predicted: Option<f64>,
    /// Scatter of the answer between parts of the run over what the noise explains, as variances.
    pub stability: Option<f64>,
    /// Mean residuals of the phases of an inference, squared, over what scatter explains: 1 for a response that is right.
    pub lack_of_fit: Option<f64>,
    /// Mean residuals of the phases beyond what scatter explains, over how far readings differ between phases.
    pub unexplained: Option<f64>,
    /// Scatter of readings around the fit over the sensor's own noise.
    pub scatter: Option<f64>,
    /// Whether the fit was given up, since its residuals depend on what ran, or neither the sensor's noise nor late
    /// stamps explain them.
    pub misfit: bool,
    /// What the variances of the fit were multiplied by in all; absent where nothing was fitted.
    pub inflation: Option<f64>,
}

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
    /// Where its family comes from.
    pub source: FamilySource,
    /// The families compared: each with its log likelihood on held-out readings less the best one's.
    pub compared: Vec<(SensorFamily, f64)>,
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
    /// How the fit was checked.
    pub checks: FitChecks,
    /// What the checks say of neighbouring layers together; absent where nothing was fitted or further runs were taken in.
    pub(crate) together: Option<GroupErrors>,
    /// The experiment whose further runs are part of the fit, in words.
    pub experiment: Option<String>,
    /// Each component's share of an inference's time.
    pub shares: Vec<f64>,
    /// Mean time from one inference to the next.
    pub period: Millis,
    /// Some inferences with the readings in them, for a picture.
    pub excerpt: Excerpt,
}

impl Evidence {
    /// Standard deviation of the mean power of neighbouring layers together, and what it was before anything was measured.
    pub(crate) fn deviation_together(&self, first: usize, last: usize) -> Option<(f64, f64)> {
        let solution = self.solution.as_ref()?;
        let layers = self.shares.len() - 1;
        let mut weights: Vec<f64> =
            (0..=layers).map(|l| if (first..=last).contains(&l) { self.shares[l] } else { 0.0 }).collect();
        let time: f64 = weights.iter().sum();
        if time <= 0.0 {
            return None;
        }
        weights.iter_mut().for_each(|w| *w /= time);
        let variance = if let Some(errors) = &self.together {
            let time_ms = time * self.period.0;
            errors.variance(solution, &self.shares, &weights, (first, last), time_ms) + self.mean_error.0.powi(2)
        } else {
            // What was added to the layers' own variances since the fit, in proportion.
            let grown =
                |l: usize| (solution.deviation[l] / solution.deviation_of(&unit(layers + 1, l), &self.shares)).max(1.0);
            let factor = (first..=last).map(|l| weights[l] * grown(l).min(3.0)).sum::<f64>();
            (factor * solution.deviation_of(&weights, &self.shares)).powi(2) + self.mean_error.0.powi(2)
        };
        let prior = (first..=last).map(|l| (weights[l] * solution.prior_deviation[l]).powi(2)).sum::<f64>().sqrt();
        Some((variance.sqrt(), prior))
    }
}

fn unit(size: usize, at: usize) -> Vec<f64> {
    (0..size).map(|i| f64::from(u8::from(i == at))).collect()
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
    pub(crate) found: Found,
    /// What varied in the fit.
    pub(crate) columns: NuisanceColumns,
    /// Sums over the readings, one for each part of the run.
    pub(crate) segments: Vec<NormalEquations>,
    /// Sums over the readings by phase of the inference.
    pub(crate) phases: Phases,
    /// The mean power, where a filter is in the sensor.
    pub(crate) lagged: Option<LaggedMean>,
    /// Standard error of the mean reading once the load is taken off, W.
    pub(crate) level_error: Option<f64>,
    /// Raw readings that fell into each component's time.
    pub(crate) readings: Vec<u64>,
    /// The run's beginning.
    pub(crate) subset: CalibrationSubset,
    /// Idle power in watts.
    pub(crate) idle: Option<f64>,
    /// The sensor's own noise in watts.
    pub(crate) noise: f64,
}

/// The mean power, and the fit behind it.
struct Fit {
    mean: Option<Watts>,
    mean_error: Watts,
    solution: Option<Solution>,
    checks: FitChecks,
    together: Option<GroupErrors>,
}

/// Lack of fit above which a fit is given up, and the part of what readings show that it has to leave unexplained: with
/// very many readings a response that is right to a fraction of a percent lacks fit too.
const WRONG: (f64, f64) = (3.0, 0.01);
/// Lack of fit above which scatter that neither sensor nor stamps explain counts against the response.
const SUSPECT: f64 = 1.8;
/// What variances are multiplied by where the data chose the response and another family may be it: the choice has an error that
/// no check sees.
const CHOSEN: f64 = 2.25;
/// Scatter of stamps, µs, that would explain what readings scatter by, above which the load itself differs from run to run; and what
/// variances are multiplied by then: what such a load does to the fit is no noise of single readings.
const RESTLESS: (f64, f64) = (15.0, 1.5);
/// Scatter of stamps beyond which it does not explain what a fit misses, µs.
const INCREDIBLE_US: f64 = 25.0;
/// Steps of a nuisance parameter beyond which its column, made at the response, no longer describes it.
const LINEAR: f64 = 4.0;

impl Gathered {
    /// A response that explains all readings better than the one that the run's beginning gave, if it lies so far off
    /// that the columns do not reach there.
    pub(crate) fn corrected(&self) -> Option<FittedResponse> {
        let size = self.layers + 1;
        let mut sums = NormalEquations::new(size + self.columns.len(), 1e6);
        self.segments.iter().for_each(|part| sums.merge(part.clone()));
        let count = sums.count.max(1) as f64;
        let shares: Vec<f64> = sums.weights[..size].iter().map(|w| w / count).collect();
        let mean = sums.total / count;
        let prior = Prior::above_idle(mean, self.idle, shares[size - 1]).with_nuisances(self.columns.spreads());
        let fit = solve::quick(&sums, &shares, mean, &prior)?;
        let far = fit.nuisances.iter().any(|n| n.abs() > LINEAR);
        far.then(|| self.columns.corrected(self.found.response, &fit.nuisances, 1.0))
    }

    /// What it all comes to.
    pub(crate) fn conclude(mut self) -> Evidence {
        let mut durations: Vec<f64> = (0..self.layers).map(|l| self.times.mean(l).0).collect();
        durations.push(self.times.mean_outside().0);
        let period_ms: f64 = durations.iter().sum();
        let shares: Vec<f64> = durations.iter().map(|d| d / period_ms.max(f64::MIN_POSITIVE)).collect();
        self.segments.iter_mut().for_each(NormalEquations::finish);
        let mut sums = NormalEquations::new(self.layers + 1 + self.columns.len(), 1e6);
        self.segments.iter().for_each(|part| sums.merge(part.clone()));
        let fit = self.fit(&sums, &durations, &shares);
        Evidence {
            independent: self.independent(&sums),
            counts: self.counts,
            diagnostics: self.diagnostics,
            times: self.times,
            response: self.found.response,
            source: self.found.source,
            compared: self.found.compared,
            samples: sums.count,
            readings: self.readings,
            mean: fit.mean,
            mean_error: fit.mean_error,
            solution: fit.solution,
            checks: fit.checks,
            together: fit.together,
            experiment: None,
            shares,
            period: Millis(period_ms),
            excerpt: self.subset.excerpt(),
        }
    }

    /// Readings that saw each component, neighbours that tell the same counted once.
    fn independent(&self, sums: &NormalEquations) -> Vec<f64> {
        let span_us = self.times.span_us.map_or(0.0, |(a, b)| b - a);
        let response = self.found.response;
        let memory_us = response.conversion_us().max(2.0 * response.lag_us());
        let spacing_us = span_us / sums.count.max(1) as f64;
        let thinning = if memory_us > 0.0 { (spacing_us / memory_us).min(1.0) } else { 1.0 };
        sums.seen.iter().take(self.layers + 1).map(|&n| n as f64 * thinning).collect()
    }

    /// Fits the powers. `durations` are each component's mean time in an inference in ms, `shares` their shares of it.
    fn fit(&self, sums: &NormalEquations, durations: &[f64], shares: &[f64]) -> Fit {
        let mut fit = Fit {
            mean: None,
            mean_error: Watts(f64::INFINITY),
            solution: None,
            checks: FitChecks::default(),
            together: None,
        };
        if sums.count == 0 {
            if let Some((mean, deviation)) = self.subset.plain_mean(self.found.response.lag_us()) {
                (fit.mean, fit.mean_error) = (Some(Watts(mean)), Watts(deviation));
            }
            return fit;
        }
        // Behind a lag, what readings were taken back to counts as long as it lasted: a change that was seen soon is a large one.
        let behind_lag = self.lagged.and_then(|lagged| lagged.mean(self.found.response.lag_us()));
        let seen = behind_lag.map_or(sums.total / sums.count as f64, |behind| behind.0);
        let plain = behind_lag.or_else(|| self.subset.plain_mean(self.found.response.lag_us()));
        let (plain, plain_error) = plain.unwrap_or((seen, f64::INFINITY));
        fit.mean = Some(Watts(seen));
        let seen_shares: Vec<f64> = match behind_lag {
            Some(_) => shares.to_vec(),
            None => sums.weights.iter().take(shares.len()).map(|w| w / sums.count as f64).collect(),
        };
        let prior = |mean: f64| {
            Prior::above_idle(mean, self.idle, shares[shares.len() - 1]).with_nuisances(self.columns.spreads())
        };
        // Readings that are all the same are so under any response, unless a filter made them so.
        let same = self.lagged.is_none() && sums.squares <= sums.freedom * (solve::SAME * seen).powi(2);
        if self.found.varied.is_empty() && !same {
            // What each reading saw was never looked for, since the sensor is too slow or readings are too few: layers cannot be
            // told apart.
            fit.mean_error = Watts(plain_error);
            fit.solution = Some(solve::ignorant(shares, seen, 0.0, &prior(seen)));
            return fit;
        }
        // Readings that by chance saw some phases more often than others saw another mean than the run had.
        let corrected = |s: &Solution| {
            seen + shares.iter().zip(&seen_shares).zip(&s.watts).map(|((w, a), p)| (w - a) * p).sum::<f64>()
        };
        let Some(first) = solve::solve(sums, shares, seen, 1.0, &prior(seen)) else {
            (fit.mean, fit.mean_error) = (Some(Watts(plain)), Watts(plain_error));
            return fit;
        };
        let mean = corrected(&first);
        let first = solve::solve(sums, shares, mean, 1.0, &prior(mean)).unwrap_or(first);
        let stable = stability(&self.segments, sums, &first, shares);
        fit.checks.stability = stable.as_ref().map(|s| s.pooled);
        let lack = self.phases.lack_of_fit(&first);
        fit.checks.lack_of_fit = lack.map(|lack| lack.ratio);
        fit.checks.unexplained = lack.map(|lack| lack.unexplained);
        // Of readings that are all the same, all is predicted.
        fit.checks.predicted = if same { Some(1.0) } else { self.predicted() };
        let excess = |ratio: Option<f64>| ratio.map_or(0.0, |r| (r - 1.0).max(0.0));
        let timing = self.timing(sums, &first);
        fit.checks.scatter = timing.scatter;
        let failed = 1.0 + excess(fit.checks.stability) + excess(fit.checks.lack_of_fit);
        let restless = if timing.jitter_us > RESTLESS.0 { RESTLESS.1 } else { 1.0 };
        let chosen = restless * if self.found.is_clear() { 1.0 } else { CHOSEN };
        fit.checks.inflation = Some(failed * chosen);
        let error = match behind_lag {
            Some((_, error)) => error,
            None => {
                let noise = first.noise_watts / (sums.count as f64).sqrt();
                self.level_error.or_else(|| sums.mean_error()).map_or(noise, |error| error.max(noise))
            }
        };
        fit.mean = Some(Watts(mean));
        fit.mean_error = Watts(error);
        // A load that differs from run to run scatters as much, but not with what ran.
        let scattered = timing.jitter_us > INCREDIBLE_US
            && timing.scatter.is_some_and(|s| s > 2.0)
            && lack.is_none_or(|lack| lack.ratio > SUSPECT);
        if scattered || lack.is_some_and(|lack| lack.ratio > WRONG.0 && lack.unexplained > WRONG.1) {
            // Readings scatter by so much more than the sensor does, or depend so much on what ran, that the response
            // cannot be the sensor's. Wider intervals would lie around a wrong place.
            fit.checks.misfit = true;
            let mean = if plain_error.is_finite() { plain } else { mean };
            (fit.mean, fit.mean_error) = (Some(Watts(mean)), Watts(error.max(plain_error)));
            fit.solution = Some(solve::ignorant(shares, mean, first.noise_watts, &prior(mean)));
            return fit;
        }
        fit.solution = solve::solve(sums, shares, mean, failed, &prior(mean)).map(|mut s| {
            let own = |i: usize| {
                stable.as_ref().map_or(failed, |stable| failed - stable.pooled.max(1.0) + stable.each[i].max(1.0))
            };
            s.scale_deviations(|i| (chosen * own(i) / failed).sqrt());
            with_model_error(s, durations, &timing, error)
        });
        fit.together = Some(GroupErrors {
            chosen,
            failed,
            stability: stable,
            boundary_ms: timing.boundary_us(f64::INFINITY) * 1e-3,
            others: timing.others,
        });
        fit
    }

    /// How far boundaries between layers are off: the time between layers is one number for all, and where readings scatter
    /// by more than the sensor's own noise, stamps that come late by a different time each can be the reason. A boundary that
    /// scatters by σ takes 0.4·σ from one layer on average and gives it to the other.
    fn timing(&self, sums: &NormalEquations, solution: &Solution) -> Timing {
        let kernel = self.found.response.kernel();
        let own = self.noise * kernel.noise_gain(self.found.memory);
        let excess = (solution.noise_watts.powi(2) - own * own).max(0.0);
        let slope = self.columns.delay_column().map_or(0.0, |(column, step_us)| {
            let at = self.layers + 1 + column;
            sums.gram.at(at, at) / sums.freedom.max(1.0) / (step_us * step_us)
        });
        let jitter_us = if slope > 0.0 { (excess / slope).sqrt() } else { 0.0 };
        Timing {
            gap_us: 0.2 * self.found.response.gap_us,
            jitter_us,
            jitter_fitted: self.found.varied.contains(&Varied::Jitter),
            scatter: (own > 0.0).then(|| solution.noise_watts / own),
            others: self.found.others.clone(),
        }
    }

    /// The share of the scatter of each half of the run that a fit to the other half predicts: 1 is all of it, 0 none.
    fn predicted(&self) -> Option<f64> {
        if self.segments.len() < 2 {
            return None;
        }
        let size = self.layers + 1;
        let half = |parts: &[NormalEquations]| {
            let mut sums = NormalEquations::new(size + self.columns.len(), 1e6);
            parts.iter().for_each(|part| sums.merge(part.clone()));
            sums.without_further(size)
        };
        let (first, second) = self.segments.split_at(self.segments.len() / 2);
        let (first, second) = (half(first), half(second));
        let of = |a, b| solve::held_out(a, b).map(|(missed, all)| 1.0 - missed / all.max(f64::MIN_POSITIVE));
        Some((of(&first, &second)? + of(&second, &first)?) / 2.0)
    }
}

/// What is wrong besides noise.
struct Timing {
    /// How far a boundary may be off since the time between layers is one number for all, µs.
    gap_us: f64,
    /// Scatter of the stamps that would explain all scatter beyond the sensor's own noise, µs.
    jitter_us: f64,
    /// Whether the fit has a column for that scatter.
    jitter_fitted: bool,
    /// Scatter of the readings around the fit over the sensor's own noise.
    scatter: Option<f64>,
    /// Powers under other responses that fit as well, less those under the one used, W.
    others: Vec<Vec<f64>>,
}

impl Timing {
    /// How far the boundaries of something that lasts `length_us` may be off on average, µs. Rounding of stamps averages out.
    fn boundary_us(&self, length_us: f64) -> f64 {
        let jitter = self.jitter_us.min(10.0);
        // A column takes scatter σ in by its second derivative; the next term is smaller by about (σ/2L)².
        let left = if self.jitter_fitted { (jitter / (2.0 * length_us)).powi(2).min(1.0) } else { 1.0 };
        self.gap_us.hypot(0.4 * jitter * left)
    }
}

/// Adds what the timeline's own error does to each layer, what other responses that fit as well say, and the error of the
/// mean power. `durations` are in ms. A boundary that is off by `t` moves `t·(difference of power)` from one layer to its
/// neighbour.
fn with_model_error(mut solution: Solution, durations: &[f64], timing: &Timing, mean_error: f64) -> Solution {
    let layers = durations.len() - 1;
    let watts = solution.watts.clone();
    for layer in 0..layers {
        let boundary_ms = timing.boundary_us(durations[layer] * 1e3) * 1e-3;
        let before = watts[if layer == 0 { layers } else { layer - 1 }];
        let after = watts[layer + 1];
        let steps = ((watts[layer] - before).powi(2) + (watts[layer] - after).powi(2)).sqrt();
        let error = boundary_ms / durations[layer].max(boundary_ms).max(f64::MIN_POSITIVE) * steps;
        let other = spread(&timing.others, &unit(layers + 1, layer));
        let most = solution.prior_deviation[layer].max(solution.deviation[layer]);
        let variance = solution.deviation[layer].powi(2) + error * error + other;
        solution.deviation[layer] = (variance.sqrt().min(most).powi(2) + mean_error * mean_error).sqrt();
    }
    solution
}
