//! From inferences and readings to the power of each layer.

use super::cycles::{BATCH, Batch, Counts, Cycles, Stamps};
use super::design::{Response, Rows, Sample, Sums};
use super::latency::{ReadAt, Series};
use super::power::Oddities;
use super::sensor::{Fresh, New, Survey};
use super::side::Side;
use super::solve::{self, NINETY, Solution};
use super::timeline::{LayerTimes, Timeline};
use super::tune;
use rayon::prelude::*;
use std::io::{self, Read};

/// Inferences whose readings are kept to estimate response and noise.
const KEPT_CYCLES: u64 = 4 * BATCH as u64;
/// Readings kept for the same.
pub(super) const KEPT_READINGS: usize = 8192;

/// Share of the readings' scatter that has to be predictable from when layers ran before a fit is believed.
pub(super) const PREDICTABLE: f64 = 0.3;
/// Sums that are made side by side.
const PARTS: usize = 4;

/// What is to be attributed.
pub struct Input<'a, S: ?Sized> {
    /// The latency file.
    pub latency: &'a S,
    /// Its layers in execution order.
    pub layers: &'a [Series],
    /// What the stamps mark.
    pub stamps: Stamps,
    /// The usual time between inferences, in microseconds.
    pub period_us: f64,
    /// What the power log told.
    pub survey: &'a Survey,
    /// Opens the power log anew.
    pub power: &'a (dyn Fn() -> io::Result<Box<dyn Read + Send>> + Sync),
}

/// Everything that inferences and readings together tell.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What was found in the latency file.
    pub counts: Counts,
    /// Measurements that could not be read.
    pub oddities: Oddities,
    /// Durations and time outside the layers.
    pub times: LayerTimes,
    /// The sensor's response that was used.
    pub response: Response,
    /// Readings that were new and saw nothing but inferences.
    pub samples: u64,
    /// Readings that each component was seen in; independent ones.
    pub independent: Vec<f64>,
    /// Raw readings that fell into each component's time.
    pub readings: Vec<u64>,
    /// Mean power over inferences and the time between them, in watts, as the readings have it.
    pub mean_watts: Option<f64>,
    /// Standard error of that.
    pub mean_error_watts: f64,
    /// The fit; absent where no reading saw whole inferences.
    pub solution: Option<Solution>,
    /// How many readings count as one independent one, from the correlation of residuals.
    pub inflation: f64,
    /// Share of the readings' scatter that a fit to other readings predicts.
    pub predicted: Option<f64>,
    /// Each component's share of an inference's time.
    pub shares: Vec<f64>,
    /// Mean time from one inference to the next, in ms.
    pub period_ms: f64,
    /// The pieces of some inferences with the readings in them, for a picture.
    pub picture: Picture,
}

/// Some inferences and readings in full.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Where the pieces begin, in microseconds of the run's clock.
    pub start_us: f64,
    /// Pieces: end and component.
    pub pieces: Vec<(f64, u32)>,
    /// Readings: moment and watts.
    pub samples: Vec<(f64, f64)>,
}

/// Readings in order, a block at a time, kept until the timeline has reached them.
struct Readings<'a> {
    fresh: Option<Fresh<Box<dyn Read + Send>>>,
    pending: Vec<New>,
    raw: Vec<f64>,
    spacing_us: f64,
    last_us: f64,
    open: &'a Survey,
}

impl<'a> Readings<'a> {
    fn new(source: Box<dyn Read + Send>, survey: &'a Survey, spacing_us: f64) -> Self {
        Self {
            fresh: Some(Fresh::new(source, survey)),
            pending: Vec::new(),
            raw: Vec::new(),
            spacing_us,
            last_us: f64::NEG_INFINITY,
            open: survey,
        }
    }

    /// Takes the readings before `end_us`, those before `start_us` dropped.
    fn take(&mut self, start_us: f64, end_us: f64, out: &mut Vec<Sample>, raw: &mut Vec<f64>) -> io::Result<()> {
        debug_assert!(self.open.origin_us >= 0);
        while let Some(fresh) = &mut self.fresh {
            if self.pending.last().is_some_and(|n| n.at_us > end_us) && self.raw.last().is_some_and(|r| *r > end_us) {
                break;
            }
            if !fresh.next_block(&mut self.pending, &mut self.raw)? {
                self.fresh = None;
            }
        }
        let count = self.pending.partition_point(|n| n.at_us <= end_us);
        for new in self.pending.drain(..count) {
            if new.at_us >= start_us && new.at_us >= self.last_us + self.spacing_us {
                self.last_us = new.at_us;
                out.push(Sample { at_us: new.at_us, watts: new.watts });
            }
        }
        let count = self.raw.partition_point(|r| *r <= end_us);
        raw.extend(self.raw.drain(..count).filter(|r| *r >= start_us));
        Ok(())
    }
}

/// Works through a run.
///
/// # Errors
/// Whatever the files say.
pub fn evidence<S: ReadAt + ?Sized>(input: &Input<'_, S>) -> io::Result<Evidence> {
    let components = input.layers.len() + 1;
    let sample_us = input.survey.sensor.refresh_ms.unwrap_or(0.0).max(input.survey.sensor.read_period_ms) * 1e3;
    let lag_us = input.survey.sensor.lag_ms.unwrap_or(0.0) * 1e3;
    // A lag far longer than the readings' spacing makes neighbours tell the same: some of them do.
    let spacing_us = if lag_us > 40.0 * sample_us { lag_us / 40.0 } else { 0.0 };
    let empty = Timeline::new(
        input.stamps,
        input.survey.origin_us,
        &input.survey.stretches,
        input.layers.len(),
        input.period_us,
    );
    let mut kept = keep(input, empty.clone(), spacing_us)?;
    let (response, window_known) =
        tune::response(&input.survey.sensor, &mut kept, components, sample_us, input.period_us);
    let block_us = (20.0 * response.lag_us).max(1e6).max(20.0 * input.period_us);

    let response = polish(&mut kept, response, components, window_known, sample_us);
    let side = Side::of(&kept, response, components, window_known, sample_us);
    let columns = components + side.len();

    let mut cycles = Cycles::new(input.latency, input.layers, false);
    let mut timeline = empty.clone().with_gap(response.gap_us);
    let mut others: Vec<Timeline> = side.gaps().iter().map(|&gap| empty.clone().with_gap(gap)).collect();
    let mut readings = Readings::new((input.power)()?, input.survey, spacing_us);
    let mut batch = Batch::default();
    // A fixed number of parts, so that the sums do not depend on the machine; a lag has to be followed in order.
    let count = if response.lag_us > 0.0 { 1 } else { PARTS };
    let mut parts: Vec<(Rows, Side, Sums)> =
        (0..count).map(|_| (Rows::new(components, response), side.clone(), Sums::new(columns, block_us))).collect();
    let mut counts = vec![0_u64; components];
    let (mut samples, mut raw) = (Vec::new(), Vec::new());
    loop {
        cycles.next_batch(&mut batch)?;
        if batch.is_empty() {
            break;
        }
        timeline.push(&batch);
        others.par_iter_mut().for_each(|other| other.push(&batch));
        let end = timeline.end_us();
        samples.clear();
        raw.clear();
        readings.take(timeline.start_us, end + response.delay_us, &mut samples, &mut raw)?;
        count_readings(&timeline, &raw, &mut counts);
        let length = samples.len().div_ceil(count).max(1);
        parts.par_iter_mut().zip(samples.par_chunks(length)).for_each(|((rows, side, sums), part)| {
            for &sample in part {
                if rows.weigh(timeline.start_us, &timeline.pieces, sample.at_us)
                    && side.weigh(&timeline, &others, sample.at_us)
                {
                    let (row, touched) = rows.weights();
                    sums.add_with(sample, row, touched, &side.values);
                }
            }
        });
        let before = end - response.delay_us - response.window_us - 2e4 - sample_us;
        timeline.forget(before);
        others.iter_mut().for_each(|other| other.forget(before));
    }
    let mut parts = parts.into_iter().map(|(.., sums)| sums);
    let mut sums = parts.next().unwrap_or_else(|| Sums::new(columns, block_us));
    for part in parts {
        sums.merge(part);
    }
    sums.finish();
    Ok(conclude(input, cycles.counts, cycles.oddities(), timeline.times, response, &sums, counts, &kept))
}

/// Steps of delay, window and gap together to where the kept readings fit best: Gauss and Newton's method, which the
/// search one by one leaves close enough to.
fn polish(kept: &mut Kept, mut response: Response, components: usize, window_known: bool, sample_us: f64) -> Response {
    let mut best = (f64::INFINITY, response);
    for _ in 0..6 {
        let mut side = Side::of(kept, response, components, window_known, sample_us);
        if side.len() == 0 {
            break;
        }
        let timelines: Vec<Timeline> = side.gaps().iter().map(|&gap| kept.timeline(gap)).collect();
        let timeline = kept.timeline(response.gap_us);
        let mut rows = Rows::new(components, response);
        let mut sums = Sums::new(components + side.len(), 1e6);
        for &sample in &kept.samples {
            if rows.weigh(timeline.start_us, &timeline.pieces, sample.at_us)
                && side.weigh(&timeline, &timelines, sample.at_us)
            {
                let (row, touched) = rows.weights();
                sums.add_with(sample, row, touched, &side.values);
            }
        }
        sums.finish();
        let shares: Vec<f64> = sums.weights[..components].iter().map(|w| w / sums.count.max(1) as f64).collect();
        let mean = sums.total / sums.count.max(1) as f64;
        let Some(solution) = solve::solve(&sums, &shares, mean, 1.0) else { break };
        if solution.noise_watts > 0.999 * best.0 {
            break;
        }
        best = (solution.noise_watts, response);
        response = side.corrected(response, &solution.nuisances);
        (kept.start_us, kept.pieces) = kept.lay_out(response.gap_us);
    }
    // The last step may have led away: the best of all counts.
    (kept.start_us, kept.pieces) = kept.lay_out(best.1.gap_us);
    best.1
}

#[expect(clippy::too_many_arguments, reason = "the end of one pass, not an interface")]
fn conclude<S: ?Sized>(
    input: &Input<'_, S>,
    counts: Counts,
    oddities: Oddities,
    times: LayerTimes,
    response: Response,
    sums: &Sums,
    readings: Vec<u64>,
    kept: &Kept,
) -> Evidence {
    let layers = input.layers.len();
    let mut durations: Vec<f64> = (0..layers).map(|l| times.mean_ms(l)).collect();
    durations.push(times.mean_outside_ms());
    let period_ms: f64 = durations.iter().sum();
    let shares: Vec<f64> = durations.iter().map(|d| d / period_ms.max(f64::MIN_POSITIVE)).collect();
    let span_us = times.span_us.map_or(0.0, |(a, b)| b - a);
    let memory_us = response.window_us.max(2.0 * response.lag_us);
    let spacing_us = span_us / sums.count.max(1) as f64;
    let thinning = if memory_us > 0.0 { (spacing_us / memory_us).min(1.0) } else { 1.0 };
    let independent = sums.seen.iter().take(layers + 1).map(|&n| n as f64 * thinning).collect();
    let (mut mean_watts, mut error, mut inflation, mut solution, mut predicted) =
        (None, f64::INFINITY, 1.0, None, None);
    let predictability = tune::predictability(kept, layers + 1, response);
    if sums.count > 0 {
        let seen = sums.total / sums.count as f64;
        let seen_shares: Vec<f64> = sums.weights.iter().map(|w| w / sums.count as f64).collect();
        if let Some(first) = solve::solve(sums, &shares, seen, 1.0) {
            inflation = tune::inflation(kept, &first.watts, response);
            // Readings that by chance saw some phases more often than others saw another mean than the run had.
            let corrected = |s: &Solution| {
                seen + shares.iter().zip(&seen_shares).zip(&s.watts).map(|((w, a), p)| (w - a) * p).sum::<f64>()
            };
            let second = solve::solve(sums, &shares, corrected(&first), inflation).unwrap_or(first);
            let mean = corrected(&second);
            mean_watts = Some(mean);
            solution = if predictability < PREDICTABLE {
                // What readings do not depend on, they cannot tell; a fit would only dress up noise.
                mean_watts = Some(seen);
                Some(solve::ignorant(shares.len(), &shares, seen, second.noise_watts))
            } else {
                solve::solve(sums, &shares, mean, inflation)
                    .map(|s| with_model_error(s, &durations, response.gap_us, predictability))
            };
            error = sums.mean_error().unwrap_or(second.noise_watts * (inflation / sums.count as f64).sqrt());
        } else {
            mean_watts = Some(seen);
        }
        predicted = Some(predictability);
    } else if let Some((mean, deviation)) = kept.plain_mean(response.lag_us) {
        mean_watts = Some(mean);
        error = deviation;
    }
    Evidence {
        counts,
        oddities,
        times,
        response,
        samples: sums.count,
        independent,
        readings,
        mean_watts,
        mean_error_watts: error,
        solution,
        inflation,
        predicted,
        shares,
        period_ms,
        picture: kept.picture(),
    }
}

/// Adds what the timeline's own error does to each layer: a boundary that is off by `t` moves `t·(difference of power)`
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

fn count_readings(timeline: &Timeline, raw: &[f64], counts: &mut [u64]) {
    let mut at = 0;
    for &moment in raw {
        while at < timeline.pieces.len() && timeline.pieces[at].end_us < moment {
            at += 1;
        }
        let Some(piece) = timeline.pieces.get(at) else { return };
        if let Some(count) = counts.get_mut(piece.component as usize) {
            *count += 1;
        }
    }
}

/// The beginning of a run, in full.
pub(super) struct Kept {
    empty: Timeline,
    cycles: Batch,
    pub(super) stamps: Stamps,
    pub(super) start_us: f64,
    pub(super) pieces: Vec<super::design::Piece>,
    pub(super) samples: Vec<Sample>,
}

impl Kept {
    /// Mean of the readings, corrected for what a lag had not shown yet: the mean power over a stretch is the mean
    /// reading plus lag times the reading's rise over it. With its standard error.
    fn plain_mean(&self, lag_us: f64) -> Option<(f64, f64)> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let n = self.samples.len() as f64;
        let mean = self.samples.iter().map(|s| s.watts).sum::<f64>() / n;
        let variance = self.samples.iter().map(|s| (s.watts - mean).powi(2)).sum::<f64>() / n;
        let span = last.at_us - first.at_us;
        if span <= 0.0 || lag_us <= 0.0 {
            let error = if n < 8.0 { f64::INFINITY } else { (variance / n).sqrt() };
            return Some((mean, error));
        }
        // The rise as the slope of a straight line: ends alone would carry the quantum's full error.
        let middle = self.samples.iter().map(|s| s.at_us).sum::<f64>() / n;
        let spread: f64 = self.samples.iter().map(|s| (s.at_us - middle).powi(2)).sum();
        let slope = self.samples.iter().map(|s| (s.at_us - middle) * (s.watts - mean)).sum::<f64>() / spread;
        let residual: f64 =
            self.samples.iter().map(|s| (s.watts - mean - slope * (s.at_us - middle)).powi(2)).sum::<f64>() / n;
        let error = (residual / n + residual / spread * lag_us * lag_us).sqrt();
        Some((mean + lag_us * slope, error))
    }

    /// Lays the inferences out with another gap between layers: where the first piece begins, and the pieces.
    pub(super) fn lay_out(&self, gap_us: f64) -> (f64, Vec<super::design::Piece>) {
        let timeline = self.timeline(gap_us);
        (timeline.start_us, timeline.pieces)
    }

    fn timeline(&self, gap_us: f64) -> Timeline {
        let mut timeline = self.empty.clone().with_gap(gap_us);
        timeline.push(&self.cycles);
        timeline
    }

    /// Longest gap between layers that leaves the inferences room.
    pub(super) fn longest_gap_us(&self) -> f64 {
        let count = self.cycles.layers.max(2) as f64 - 1.0;
        let times = |outside: &super::design::Piece| outside.component == self.cycles.layers as u32;
        let mut free: Vec<f64> =
            self.pieces.windows(2).filter(|w| times(&w[1])).map(|w| w[1].end_us - w[0].end_us).collect();
        free.sort_by(f64::total_cmp);
        free.get(free.len() / 4).map_or(0.0, |f| 0.9 * f / count)
    }

    fn picture(&self) -> Picture {
        // Eight inferences' worth of pieces and no more than some hundreds of readings.
        let pieces: Vec<(f64, u32)> = self.pieces.iter().take(4000).map(|p| (p.end_us, p.component)).collect();
        let end = pieces.last().map_or(self.start_us, |p| p.0);
        let samples = self.samples.iter().filter(|s| s.at_us >= self.start_us && s.at_us <= end);
        Picture { start_us: self.start_us, samples: samples.take(600).map(|s| (s.at_us, s.watts)).collect(), pieces }
    }
}

fn keep<S: ReadAt + ?Sized>(input: &Input<'_, S>, empty: Timeline, spacing_us: f64) -> io::Result<Kept> {
    let mut cycles = Cycles::new(input.latency, input.layers, false);
    let mut timeline = empty.clone();
    let (mut batch, mut all) = (Batch::default(), Batch::default());
    let mut readings = Readings::new((input.power)()?, input.survey, spacing_us);
    let (mut samples, mut raw) = (Vec::new(), Vec::new());
    while cycles.counts.cycles < KEPT_CYCLES && samples.len() < KEPT_READINGS {
        cycles.next_batch(&mut batch)?;
        if batch.is_empty() {
            break;
        }
        timeline.push(&batch);
        all.append(&batch);
        raw.clear();
        readings.take(timeline.start_us, timeline.end_us(), &mut samples, &mut raw)?;
    }
    samples.truncate(KEPT_READINGS);
    let Timeline { start_us, pieces, .. } = timeline;
    Ok(Kept { empty, cycles: all, stamps: input.stamps, start_us, pieces, samples })
}

/// Half of a layer's 90 % interval, in watts.
#[must_use]
pub fn half_width(deviation: f64) -> f64 {
    NINETY * deviation
}
