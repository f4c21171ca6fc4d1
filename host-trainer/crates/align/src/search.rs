//! The sensor's response, as far as the log has to tell it: family, length of a conversion, smoothing before the chip,
//! delay, and time between layers where the stamps hide it.
//!
//! For each family, delays are scanned, then all parameters go to where they fit best (Gauss and Newton's method). Of the
//! families, that one is taken whose fit to one half of some readings best predicts the other half: its likelihood on
//! held-out readings.

use super::calibration::CalibrationSubset;
use super::families::{FamilySource, candidates};
use super::normal_equations::NormalEquations;
use super::nuisance::{NuisanceColumns, Varied};
use super::pieces::{Piece, Sample};
use super::response::FittedResponse;
use super::solve::{self, Prior};
use super::stamps::Stamps;
use super::survey::SensorReport;
use super::timeline::Timeline;
use super::weights::ReadingWeights;
use rayon::prelude::*;
use shared::sensor::SensorFamily;

/// Readings, and pieces of the timeline, that families are compared on.
const COMPARED: (usize, usize) = (1500, 80_000);
/// Fewest readings that a search makes sense with.
const FEWEST: usize = 64;
/// Steps of Gauss and Newton's method.
const STEPS: usize = 8;

/// The response that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The response.
    pub(crate) response: FittedResponse,
    /// What varies in the fit.
    pub(crate) varied: Vec<Varied>,
    /// Weight of the running mean over readings that were taken back to their conversions.
    pub(crate) memory: f64,
    /// Where the family comes from.
    pub(crate) source: FamilySource,
    /// The families compared: each with its log likelihood on held-out readings less the best one's.
    pub(crate) compared: Vec<(SensorFamily, f64)>,
}

/// Searches a response.
pub(crate) struct Search<'a> {
    subset: &'a CalibrationSubset,
    components: usize,
    idle: Option<f64>,
    /// Readings in use.
    count: usize,
}

/// Timelines of one gap, laid out.
type Layout = (f64, Vec<Piece>);

impl<'a> Search<'a> {
    /// Over the beginning of a run. `idle` is idle power in watts.
    pub(crate) fn new(subset: &'a CalibrationSubset, components: usize, idle: Option<f64>) -> Self {
        let end = subset.pieces.get(COMPARED.1).map_or(f64::INFINITY, |p| p.end_us);
        let count = subset.samples.partition_point(|s| s.at_us < end).min(COMPARED.0);
        Self { subset, components, idle, count }
    }

    /// The response of a sensor.
    pub(crate) fn response(&mut self, sensor: &SensorReport) -> Found {
        let (families, source) = candidates(sensor);
        let start = |family| FittedResponse { gap_us: 0.0, ..FittedResponse::of(family) };
        let slow = |family: SensorFamily| family.time_constant().0 > 40.0 * self.subset.period_us().max(1.0);
        if self.subset.samples.len() < FEWEST || slow(families[0]) || sensor.sample_period().0 <= 0.0 {
            let response = start(families[0]);
            return Found { response, varied: Vec::new(), memory: 0.0, source, compared: vec![(families[0], 0.0)] };
        }
        let free = source == FamilySource::Data;
        let mut fits: Vec<(FittedResponse, f64)> =
            families.iter().map(|&family| self.fit_family(start(family), free)).collect();
        fits.sort_by(|a, b| b.1.total_cmp(&a.1));
        self.count = self.subset.samples.len();
        let varied = self.varied(free);
        let best = fits[0].1;
        let compared: Vec<(SensorFamily, f64)> = fits.iter().map(|f| (f.0.family, f.1 - best)).collect();
        let response = self.descend(fits[0].0, &varied, 5).0;
        let memory = self.memory(response);
        Found { response, varied, memory, source, compared }
    }

    fn varied(&self, free: bool) -> Vec<Varied> {
        let callback = self.subset.stamps == Stamps::Callback;
        let conversion = free.then_some(Varied::Conversion);
        let gap = callback.then_some(Varied::Gap);
        [Some(Varied::Delay), conversion, Some(Varied::Smoothing), gap].into_iter().flatten().collect()
    }

    /// The best response of a family, and its log likelihood on held-out readings.
    fn fit_family(&self, start: FittedResponse, free: bool) -> (FittedResponse, f64) {
        let refresh = start.family.refresh().0;
        let laid = self.subset.lay_out(0.0);
        let mut starts: Vec<(f64, FittedResponse)> = Vec::new();
        for smoothing in [0.03, 0.3].map(|part| part * self.subset.period_us().min(2000.0)) {
            let from = FittedResponse { smoothing_us: smoothing, ..start };
            let (low, high) = (-300.0 - 0.15 * refresh - smoothing, 300.0 + refresh.min(9000.0));
            let step = (from.conversion_us() / 6.0).clamp(12.0, 90.0);
            let delays: Vec<FittedResponse> = (0..=((high - low) / step) as usize)
                .map(|k| FittedResponse { delay_us: low + k as f64 * step, ..from })
                .collect();
            let mut scored = self.scored(&laid, delays);
            scored.sort_by(|a, b| b.0.total_cmp(&a.0));
            starts.extend(scored.first());
            let apart = |s: &&(f64, FittedResponse)| (s.1.delay_us - scored[0].1.delay_us).abs() > 2.5 * step;
            starts.extend(scored.iter().find(apart));
        }
        starts.sort_by(|a, b| b.0.total_cmp(&a.0));
        starts.truncate(3);
        if self.subset.stamps == Stamps::Callback {
            starts = starts.iter().map(|s| self.gaps(s.1)).collect();
        }
        let varied = self.varied(free);
        let ends: Vec<FittedResponse> = starts.par_iter().map(|s| self.descend(s.1, &varied, STEPS).0).collect();
        let best = ends.into_par_iter().map(|r| (r, self.score(&self.subset.lay_out(r.gap_us), r)));
        best.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((start, f64::NEG_INFINITY))
    }

    fn scored(&self, laid: &Layout, candidates: Vec<FittedResponse>) -> Vec<(f64, FittedResponse)> {
        candidates.into_par_iter().map(|r| (self.score(laid, r), r)).collect()
    }

    /// Tries gaps between layers; the middle of the inference stays near where it is.
    fn gaps(&self, from: FittedResponse) -> (f64, FittedResponse) {
        let longest = self.subset.longest_gap_us();
        let layers = self.components as f64 - 1.0;
        let tried = [0.0, 0.5, 1.0, 2.0, 3.5, 6.0, 10.0].into_par_iter().filter(|gap| *gap <= longest);
        tried
            .filter_map(|gap_us| {
                let laid = self.subset.lay_out(gap_us);
                let middle = from.delay_us + gap_us * (layers - 1.0) / 2.0;
                let shift = gap_us * layers / 6.0;
                let at = |k: i32| FittedResponse { gap_us, delay_us: middle + f64::from(k) * shift, ..from };
                let tried = if gap_us > 0.0 { -2..=2 } else { 0..=0 };
                tried.map(|k| (self.score(&laid, at(k)), at(k))).max_by(|a, b| a.0.total_cmp(&b.0))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((f64::NEG_INFINITY, from))
    }

    /// Log likelihood of the readings in use, each half under a fit to the other.
    pub(crate) fn score(&self, (start_us, pieces): &Layout, response: FittedResponse) -> f64 {
        let samples = &self.subset.samples[..self.count];
        let half = samples.len() / 2;
        let mut halves = [(); 2].map(|()| NormalEquations::new(self.components, 1e6));
        let mut weights = ReadingWeights::new(self.components, response);
        for (i, &sample) in samples.iter().enumerate() {
            if let Some(watts) = weights.weigh(*start_us, pieces, sample) {
                let (row, touched) = weights.weights();
                halves[usize::from(i >= half)].add(Sample { watts, ..sample }, row, touched);
            }
        }
        halves.iter_mut().for_each(NormalEquations::finish);
        let [first, second] = &halves;
        if first.count < 16 || second.count < 16 {
            return f64::NEG_INFINITY;
        }
        let missed = |a: &NormalEquations, b: &NormalEquations| {
            solve::held_out(a, b).map_or(f64::NEG_INFINITY, |(missed, _)| -0.5 * missed.max(1e-12).ln())
        };
        // Readings taken back to their conversions are larger than what changed in the register by this factor.
        let factor = scale(response, samples);
        samples.len() as f64 * (0.5 * (missed(first, second) + missed(second, first)) - factor.ln())
    }

    /// The sums over the readings in use, with columns for what varies.
    fn sums(&self, response: FittedResponse, memory: f64, columns: &mut NuisanceColumns) -> NormalEquations {
        let timelines: Vec<Timeline> = columns.gaps().iter().map(|&gap| self.subset.timeline(gap)).collect();
        let timeline = self.subset.timeline(response.gap_us);
        let mut weights = ReadingWeights::new(self.components, response).with_memory(memory);
        let mut sums = NormalEquations::new(self.components + columns.len(), 1e6);
        for &sample in &self.subset.samples[..self.count] {
            let whole = columns.weigh(&timeline, &timelines, sample);
            match weights.weigh(timeline.start_us, &timeline.pieces, sample) {
                Some(watts) if whole => {
                    let (row, touched) = weights.weights();
                    sums.add_with(Sample { watts, ..sample }, row, touched, &columns.values);
                }
                _ => columns.forget(),
            }
        }
        sums.finish();
        sums
    }

    fn quick(&self, sums: &NormalEquations, spreads: Vec<f64>) -> Option<solve::QuickFit> {
        let count = sums.count.max(1) as f64;
        let shares: Vec<f64> = sums.weights[..self.components].iter().map(|w| w / count).collect();
        let mean = sums.total / count;
        let prior = Prior::above_idle(mean, self.idle, shares[self.components - 1]).with_nuisances(spreads);
        solve::quick(sums, &shares, mean, &prior)
    }

    /// Steps of all parameters together to where the readings fit best; the noise that is left.
    fn descend(&self, start: FittedResponse, varied: &[Varied], steps: usize) -> (FittedResponse, f64) {
        let fit = |response| {
            let sums = self.sums(response, 0.0, &mut NuisanceColumns::none());
            self.quick(&sums, Vec::new()).filter(|_| sums.count >= 16)
        };
        let Some(mut current) = fit(start) else { return (start, f64::INFINITY) };
        let mut response = start;
        for _ in 0..steps {
            let mut columns = NuisanceColumns::of(varied, response, &current.watts, 0.0);
            let sums = self.sums(response, 0.0, &mut columns);
            let Some(joint) = self.quick(&sums, columns.spreads()) else { break };
            let before = current.noise_watts;
            let mut part = 1.0;
            while part > 0.1 {
                let next = columns.corrected(response, &joint.nuisances, part);
                let next = FittedResponse { gap_us: next.gap_us.min(self.subset.longest_gap_us()), ..next };
                let next = self.bounded(next);
                if let Some(better) = fit(next).filter(|f| f.noise_watts < before) {
                    (response, current) = (next, better);
                    break;
                }
                part *= 0.4;
            }
            if current.noise_watts > 0.9995 * before {
                break;
            }
        }
        (response, current.noise_watts)
    }

    /// A conversion is no longer than the turn that it is part of.
    fn bounded(&self, response: FittedResponse) -> FittedResponse {
        let longest = match response.family {
            // Where readings come slower than renewals, a reading's window lay anywhere within a renewal before it.
            SensorFamily::Window { refresh, .. } => 2.5 * refresh.0,
            SensorFamily::Block { spacing, .. } => spacing.0,
            SensorFamily::Recursive { cycle, .. } => cycle.0,
            _ => f64::INFINITY,
        };
        let us = response.conversion_us();
        let response = if us > longest { response.with_conversion(longest) } else { response };
        let smoothing = response.smoothing_us.min(5e3);
        FittedResponse { smoothing_us: smoothing, ..response }
    }

    /// The running mean that makes neighbouring readings independent: rounding in the register leaves a correlation ρ of
    /// neighbours, that of a moving average whose coefficient θ follows from ρ = −θ/(1 + θ²).
    fn memory(&self, response: FittedResponse) -> f64 {
        let kernel = response.kernel();
        if kernel.keep <= 0.0 {
            return 0.0;
        }
        let sums = self.sums(response, 0.0, &mut NuisanceColumns::none());
        let Some(fit) = self.quick(&sums, Vec::new()) else { return 0.0 };
        let (start_us, pieces) = self.subset.lay_out(response.gap_us);
        let residuals = residuals(&self.subset.samples[..self.count], start_us, &pieces, response, &fit.watts);
        let product: f64 = residuals.windows(2).map(|w| w[0] * w[1]).sum();
        let square: f64 = residuals.iter().map(|r| r * r).sum();
        let rho = (product / square.max(f64::MIN_POSITIVE)).clamp(-0.499, 0.0);
        let theta = if rho < 0.0 { (1.0 - (1.0 - 4.0 * rho * rho).sqrt()) / (-2.0 * rho) } else { 0.0 };
        theta.min(kernel.keep)
    }
}

/// What readings differ by from what they should show of some powers; the mean is taken out.
pub(crate) fn residuals(
    samples: &[Sample],
    start_us: f64,
    pieces: &[Piece],
    response: FittedResponse,
    watts: &[f64],
) -> Vec<f64> {
    let mut residuals = Vec::with_capacity(samples.len());
    let mut weights = ReadingWeights::new(watts.len(), response);
    weights.each(start_us, pieces, samples, |sample, row, touched| {
        let shown: f64 = touched.iter().map(|&i| row[i as usize] * watts[i as usize]).sum();
        residuals.push(sample.watts - shown);
    });
    let mean = residuals.iter().sum::<f64>() / residuals.len().max(1) as f64;
    residuals.iter_mut().for_each(|r| *r -= mean);
    residuals
}

/// What a change of the register is of the conversion behind it.
fn scale(response: FittedResponse, samples: &[Sample]) -> f64 {
    let kernel = response.kernel();
    if kernel.lag_us > 0.0 {
        let spacing = samples.last().map_or(0.0, |l| l.at_us - samples[0].at_us) / samples.len().max(2) as f64;
        return 1.0 - (-spacing / kernel.lag_us).exp();
    }
    1.0 - kernel.keep
}
