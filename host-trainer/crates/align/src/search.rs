//! The sensor's response, as far as the log has to tell it: family, length of a conversion, smoothing before the chip,
//! delay, and time between layers where the stamps hide it.
//!
//! For each family, delays are scanned, then all parameters go to where they fit best (Gauss and Newton's method). Of the
//! families, that one is taken whose fit to one half of some readings best predicts the other half: its likelihood on
//! held-out readings.

use super::calibration::CalibrationSubset;
use super::families::{FamilySource, candidates, has_any_conversion, is_without_gaps, same_kind, usual_conversions};
use super::found::Found;
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
const COMPARED: (usize, usize) = (1200, 50_000);
/// The same for a search that goes on.
const SEARCHED: (usize, usize) = (2000, 160_000);
/// Fewest readings that a search makes sense with.
const FEWEST: usize = 64;
/// Steps of Gauss and Newton's method.
const STEPS: usize = 8;
/// Scatter around a fit, over the sensor's own noise, above which the search goes on.
const DOUBTFUL: f64 = 1.5;
/// Share of the readings' scatter that a fit predicts below which it goes on, too: several places may fit as well.
const CLEAR: f64 = 0.95;
/// Places that it then goes on from.
const PLACES: usize = 10;
/// Rounds of that, and the scatter of a round over that of the round before that makes another one worth it.
const ROUNDS: usize = 4;
const BETTER: f64 = 0.97;
/// Share of the readings' scatter that a family has to predict where a slow lag would explain that none can.
const TELLS: f64 = 0.03;
/// A fit with less than this much more scatter may be as good as the best one.
const MODE: f64 = 1.05;
/// Readings that count as one where places are compared: what is left of the load makes neighbours alike.
const ALIKE: f64 = 25.0;
/// Difference of delays up to which a place may lie in the best one's valley, µs, and the part of its likelihood that the place
/// halfway between them has at least if it does.
const VALLEY_US: f64 = 20.0;
const RIDGE: f64 = 0.6;
/// Likelihood against the best place's below which another place is none.
const UNLIKELY: f64 = 1e-3;
/// Log likelihood that a family with a parameter more has to gain.
const SIMPLER: f64 = 5.0;
/// Logarithm of the ratio of two lengths of a conversion between which readings may not tell.
const NEAR: f64 = 0.5;
/// Time between layers that the search begins with.
const USUAL_GAP_US: f64 = 1.0;

/// Searches a response.
pub(crate) struct Search<'a> {
    subset: &'a CalibrationSubset,
    components: usize,
    idle: Option<f64>,
    /// Readings in use, and the inferences that they can have seen.
    count: usize,
    cycles: usize,
}

/// Timelines of one gap, laid out.
type Layout = (f64, Vec<Piece>);

impl<'a> Search<'a> {
    /// Over the beginning of a run. `idle` is idle power in watts.
    pub(crate) fn new(subset: &'a CalibrationSubset, components: usize, idle: Option<f64>) -> Self {
        let mut search = Self::all(subset, components, idle);
        search.take(search.readings(COMPARED));
        search
    }

    /// Takes so many readings in use.
    fn take(&mut self, count: usize) {
        self.count = count.min(self.subset.samples.len());
        let end_us = self.subset.samples[..self.count].last().map_or(0.0, |s| s.at_us);
        self.cycles = self.subset.cycles_before(end_us + 1e3);
    }

    fn lay_out(&self, gap_us: f64) -> Layout {
        let timeline = self.timeline(gap_us);
        (timeline.start_us, timeline.pieces)
    }

    fn timeline(&self, gap_us: f64) -> Timeline {
        self.subset.timeline_of(gap_us, self.cycles)
    }

    /// Readings at the beginning, of which there are no more than some, and within so many pieces of the timeline.
    fn readings(&self, (most, pieces): (usize, usize)) -> usize {
        let end = self.subset.pieces.get(pieces).map_or(f64::INFINITY, |p| p.end_us);
        self.subset.samples.partition_point(|s| s.at_us < end).min(most)
    }

    /// Over all readings of the beginning.
    pub(crate) fn all(subset: &'a CalibrationSubset, components: usize, idle: Option<f64>) -> Self {
        Self { subset, components, idle, count: subset.samples.len(), cycles: usize::MAX }
    }

    /// Powers under a response that was found, with columns of what varies.
    pub(crate) fn powers_with(&self, found: &Found, columns: &mut NuisanceColumns) -> Option<Vec<f64>> {
        let sums = self.sums(found.response, found.memory, columns);
        self.quick(&sums, columns.spreads()).filter(|_| sums.count >= 64).map(|fit| fit.watts)
    }

    /// The response of a sensor, with `family` in place of what is known of it.
    pub(crate) fn response(&mut self, sensor: &SensorReport, family: Option<SensorFamily>) -> Found {
        let (families, source) = match family {
            Some(family) => (vec![family], FamilySource::Manifest),
            None => candidates(sensor),
        };
        let start = |family| FittedResponse { gap_us: 0.0, ..FittedResponse::of(family) };
        let is_slow = |family: &SensorFamily| family.time_constant().0 > 40.0 * self.subset.period_us().max(1.0);
        let (slow, quick): (Vec<SensorFamily>, Vec<SensorFamily>) = families.iter().partition(|f| is_slow(f));
        if self.subset.samples.len() < FEWEST || quick.is_empty() || sensor.sample_period().0 <= 0.0 {
            return Found::fixed(families[0], source);
        }
        if family.is_none() && !self.subset.shows_inferences() {
            return slow
                .first()
                .map_or_else(|| Found::fixed(families[0], source), |&slow| Found::fixed(slow, FamilySource::Step));
        }
        let free = source == FamilySource::Data;
        let mut starts: Vec<(f64, FittedResponse)> =
            quick.iter().flat_map(|&family| self.scan(start(family), free)).collect();
        // A window without gaps shows what a meter shows: it begins at the same places, and its length varies.
        if let Some(&window) = quick.iter().find(|family| is_without_gaps(**family)) {
            let meters = starts.iter().filter(|s| matches!(s.1.family, SensorFamily::Meter { .. }));
            let windows: Vec<_> = meters.map(|s| (s.0, FittedResponse { family: window, ..s.1 })).collect();
            starts.extend(windows);
        }
        starts.sort_by(|a, b| b.0.total_cmp(&a.0));
        if let Some(&slow) = slow.first()
            && starts.first().is_none_or(|(_, best)| self.predicted(*best) < TELLS)
        {
            // Readings have nothing to do with what ran: the step was the sensor's lag, not the load's.
            return Found::fixed(slow, FamilySource::Step);
        }
        // The first places of the best three families go on, each with its conversions of one length.
        let mut kept: Vec<FittedResponse> = Vec::new();
        let mut kinds: Vec<SensorFamily> = Vec::new();
        for (_, from) in &starts {
            if !kinds.iter().any(|kind| same_kind(*kind, from.family)) {
                kinds.push(from.family);
            }
            let near = |k: &&FittedResponse| {
                same_kind(k.family, from.family) && (k.conversion_us() / from.conversion_us()).ln().abs() < 0.1
            };
            if kinds.iter().take(3).any(|kind| same_kind(*kind, from.family)) && kept.iter().filter(near).count() < 2 {
                kept.push(*from);
            }
        }
        let mut fits: Vec<(FittedResponse, f64)> = kept
            .into_par_iter()
            .map(|from| self.descend(from, &self.varied(free, from.family), STEPS, 0.0).0)
            .map(|r| (r, self.score(&self.lay_out(r.gap_us), r)))
            .collect();
        // A meter without gaps has one parameter less: it need not predict better.
        let plain = |f: &(FittedResponse, f64)| {
            f.1 + if matches!(f.0.family, SensorFamily::Meter { .. }) { SIMPLER } else { 0.0 }
        };
        fits.sort_by(|a, b| plain(b).total_cmp(&plain(a)));
        let best = fits[0].1;
        let mut compared: Vec<(SensorFamily, f64)> = Vec::new();
        for (response, score) in &fits {
            if !compared.iter().any(|c| same_kind(c.0, response.family)) {
                compared.push((response.family, score - best));
            }
        }
        let varied = self.varied(free, fits[0].0.family);
        let memory = self.memory(fits[0].0);
        let (mut response, mut noise) = self.descend(fits[0].0, &varied, STEPS, memory);
        let own = sensor.noise.map_or(0.0, |own| own.0) * response.kernel().noise_gain(memory);
        let mut modes = Vec::new();
        if noise > DOUBTFUL * own || self.predicted(response) < CLEAR {
            // The best place of all may be another: from more places, over more readings, and again from a better one.
            self.take(self.readings(SEARCHED));
            noise = self.descend(response, &[], 0, memory).1;
            let mut ends: Vec<(FittedResponse, f64)> = Vec::new();
            for _ in 0..ROUNDS {
                let before = noise;
                ends.par_extend(
                    self.places(response, free).into_par_iter().map(|from| self.descend(from, &varied, STEPS, memory)),
                );
                for (other, less) in ends.iter().copied() {
                    if less < noise {
                        (response, noise) = (other, less);
                    }
                }
                if noise > BETTER * before || noise < DOUBTFUL * own {
                    break;
                }
            }
            ends.push((response, noise));
            modes = self.best_of(&ends, &varied, memory);
            if !modes.is_empty() {
                response = modes.remove(0).0;
                noise = self.descend(response, &[], 0, memory).1;
            }
        }
        let mut varied = varied;
        if let Some(usual) = self.usual_conversion(response, &varied, memory, noise) {
            response = usual;
            varied.retain(|v| *v != Varied::Conversion);
        }
        let others = self.others(response, &modes, memory);
        self.take(self.subset.samples.len());
        let response = self.descend(response, &varied, 4, memory).0;
        Found { response, varied, memory, source, compared, others }
    }

    /// The response with a conversion as long as the chips offer, if that fits as well as the length found.
    fn usual_conversion(
        &self,
        found: FittedResponse,
        varied: &[Varied],
        memory: f64,
        noise: f64,
    ) -> Option<FittedResponse> {
        if !varied.contains(&Varied::Conversion) {
            return None;
        }
        let fixed: Vec<Varied> = varied.iter().copied().filter(|v| *v != Varied::Conversion).collect();
        let near = |us: &f64| (us / found.conversion_us()).ln().abs() < NEAR;
        let lengths: Vec<f64> = usual_conversions(found.kernel().spacing_us).into_iter().filter(near).collect();
        let fits: Vec<(FittedResponse, f64)> =
            lengths.into_par_iter().map(|us| self.descend(found.with_conversion(us), &fixed, STEPS, memory)).collect();
        let (best, least) = fits.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        (self.count as f64 * (least / noise).ln() < SIMPLER).then_some(best)
    }

    /// The best of the places that searches ended at, by all readings of the beginning, and those that may be as good, each with its
    /// likelihood against the best one's. Few readings may not tell apart delays and times between layers that make up for each other.
    fn best_of(
        &mut self,
        ends: &[(FittedResponse, f64)],
        varied: &[Varied],
        memory: f64,
    ) -> Vec<(FittedResponse, f64)> {
        let least = ends.iter().map(|end| end.1).fold(f64::INFINITY, f64::min);
        let mut apart: Vec<FittedResponse> = Vec::new();
        for (end, _) in ends.iter().filter(|end| end.1 < MODE * least) {
            let near = |other: &FittedResponse| {
                (other.delay_us - end.delay_us).abs() < 3.0
                    && (other.gap_us - end.gap_us).abs() < 0.1
                    && (other.conversion_us() / end.conversion_us() - 1.0).abs() < 0.05
            };
            if !apart.iter().any(near) {
                apart.push(*end);
            }
        }
        if apart.len() < 2 {
            return apart.into_iter().map(|only| (only, 1.0)).collect();
        }
        self.take(self.subset.samples.len());
        let independent = self.count as f64 / ALIKE;
        let mut fits: Vec<(FittedResponse, f64)> =
            apart.into_par_iter().map(|end| self.descend(end, varied, 2, memory)).collect();
        fits.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, least) = fits[0];
        let likelihood = |noise: f64| (least / noise).powf(independent);
        // The columns of the fit know the valley around the best place, but not how it bends further off.
        let is_other = |(other, noise): &(FittedResponse, f64)| {
            let is_near = (other.delay_us - best.delay_us).abs() < VALLEY_US;
            let ridge = || self.descend(best.halfway(*other), &[], 0, memory).1;
            likelihood(*noise) > UNLIKELY && !(is_near && likelihood(ridge()) > RIDGE * likelihood(*noise))
        };
        let others: Vec<_> = fits[1..].par_iter().filter(|fit| is_other(fit)).map(|f| (f.0, likelihood(f.1))).collect();
        self.take(self.readings(SEARCHED));
        std::iter::once((best, 1.0)).chain(others).collect()
    }

    /// Powers under other responses less those under the best one, each scaled so that their mean square, with the best one's nothing
    /// among them, is that of a choice by likelihood.
    fn others(&self, best: FittedResponse, others: &[(FittedResponse, f64)], memory: f64) -> Vec<Vec<f64>> {
        let watts = |response| {
            let sums = self.sums(response, memory, &mut NuisanceColumns::none());
            self.quick(&sums, Vec::new()).map(|fit| fit.watts)
        };
        let Some(of_best) = watts(best).filter(|_| !others.is_empty()) else { return Vec::new() };
        let all = 1.0 + others.iter().map(|other| other.1).sum::<f64>();
        let others: Vec<(Vec<f64>, f64)> =
            others.par_iter().filter_map(|other| Some((watts(other.0)?, other.1))).collect();
        let count = others.len() as f64 + 1.0;
        let scaled = |(of, likelihood): &(Vec<f64>, f64)| {
            let scale = (likelihood * count / all).sqrt();
            of.iter().zip(&of_best).map(|(o, b)| scale * (o - b)).collect()
        };
        others.iter().map(scaled).collect()
    }

    /// Powers under a response, and the scatter of readings around them.
    pub(crate) fn powers(&self, response: FittedResponse) -> Option<(Vec<f64>, f64)> {
        let sums = self.sums(response, 0.0, &mut NuisanceColumns::none());
        self.quick(&sums, Vec::new()).filter(|_| sums.count >= 16).map(|fit| (fit.watts, fit.noise_watts))
    }

    fn varied(&self, free: bool, family: SensorFamily) -> Vec<Varied> {
        let callback = self.subset.stamps == Stamps::Callback;
        let conversion = (free && has_any_conversion(family)).then_some(Varied::Conversion);
        let gap = callback.then_some(Varied::Gap);
        let jitter = callback.then_some(Varied::Jitter);
        [Some(Varied::Delay), conversion, Some(Varied::Smoothing), gap, jitter].into_iter().flatten().collect()
    }

    /// The best delays of a family, each with the log likelihood on held-out readings.
    fn scan(&self, start: FittedResponse, free: bool) -> Vec<(f64, FittedResponse)> {
        let refresh = start.family.refresh().0;
        let callback = self.subset.stamps == Stamps::Callback;
        let gap_us = if callback { USUAL_GAP_US.min(self.subset.longest_gap_us()) } else { 0.0 };
        let laid = self.lay_out(gap_us);
        let mut starts: Vec<(f64, FittedResponse)> = Vec::new();
        // A window of any length; conversions as long as chips with that turn have.
        let found = start.conversion_us();
        let lengths: Vec<f64> = match start.family {
            SensorFamily::Window { .. } if free && is_without_gaps(start.family) => vec![0.33 * found],
            SensorFamily::Window { .. } if free => vec![found, 0.33 * found],
            SensorFamily::Block { .. } | SensorFamily::Recursive { .. } if free => {
                let usual = usual_conversions(start.kernel().spacing_us);
                if usual.is_empty() { vec![found, 3.0 * found] } else { usual }
            }
            _ => vec![found],
        };
        for length in lengths {
            for smoothing in [0.02, 0.2].map(|part| part * self.subset.period_us().min(2000.0)) {
                let from = start.with_conversion(length);
                let from = FittedResponse { smoothing_us: smoothing, gap_us, ..from };
                let (low, high) = (-300.0 - 0.15 * refresh - smoothing, 300.0 + refresh.min(9000.0));
                let step = (from.conversion_us() / 4.0).clamp(20.0, 120.0);
                let delays = (0..=((high - low) / step) as usize)
                    .map(|k| FittedResponse { delay_us: low + k as f64 * step, ..from });
                let mut scored = self.scored(&laid, delays.collect());
                scored.sort_by(|a, b| b.0.total_cmp(&a.0));
                starts.extend(scored.first());
                let apart = |s: &&(f64, FittedResponse)| (s.1.delay_us - scored[0].1.delay_us).abs() > 2.5 * step;
                starts.extend(scored.iter().find(apart));
            }
        }
        starts
    }

    /// Other places to begin at: delays around the one found as finely as layers are long, with other times between layers,
    /// and more coarsely with conversions of other lengths.
    fn places(&self, found: FittedResponse, free: bool) -> Vec<FittedResponse> {
        let layers = self.components as f64 - 1.0;
        let layer_us = self.subset.period_us() / (layers + 4.0);
        let callback = self.subset.stamps == Stamps::Callback;
        let gaps: &[f64] = if callback { &[1.0, 0.4, 2.0] } else { &[0.0] };
        let mut tried = Vec::new();
        for &gap_us in gaps {
            let laid = self.lay_out(gap_us.min(self.subset.longest_gap_us()));
            // Beside the length found, those that chips have.
            let turn = found.kernel().spacing_us;
            let others = if has_any_conversion(found.family) {
                vec![turn / 6.0, turn / 3.0, turn / 2.0, found.conversion_us() * 1.6]
            } else {
                usual_conversions(turn)
            };
            let apart = |us: &f64| (us / found.conversion_us() - 1.0).abs() > 0.005;
            let others = others.into_iter().filter(apart).filter(|_| free && gap_us == gaps[0]);
            let lengths = others.chain([found.conversion_us()]);
            for length in lengths {
                let fine = if length == found.conversion_us() { 1.0 } else { 3.0 };
                let (step, steps) = (fine * layer_us.clamp(8.0, 60.0), (18.0 / fine) as i32);
                let from = FittedResponse { smoothing_us: found.smoothing_us.max(5.0), gap_us, ..found };
                let from = self.bounded(from.with_conversion(length));
                // The middle of the inference stays in place.
                let middle = from.delay_us + (gap_us - found.gap_us) * (layers - 1.0) / 2.0;
                let delays =
                    (-steps..=steps).map(|k| FittedResponse { delay_us: middle + f64::from(k) * step, ..from });
                let mut scored = self.scored(&laid, delays.collect());
                scored.sort_by(|a, b| b.0.total_cmp(&a.0));
                // Apart from each other: one peak is begun at once.
                for place in scored {
                    let near = |t: &&(f64, FittedResponse)| {
                        t.1.gap_us == gap_us
                            && t.1.conversion_us() == place.1.conversion_us()
                            && (t.1.delay_us - place.1.delay_us).abs() < 2.5 * step
                    };
                    let of_these = |t: &&(f64, FittedResponse)| {
                        t.1.gap_us == gap_us && t.1.conversion_us() == place.1.conversion_us()
                    };
                    if !tried.iter().any(|t| near(&t)) && tried.iter().filter(of_these).count() < 3 {
                        tried.push(place);
                    }
                }
            }
        }
        tried.sort_by(|a, b| b.0.total_cmp(&a.0));
        tried.into_iter().take(PLACES).map(|t| t.1).collect()
    }

    fn scored(&self, laid: &Layout, candidates: Vec<FittedResponse>) -> Vec<(f64, FittedResponse)> {
        candidates.into_par_iter().map(|r| (self.score(laid, r), r)).collect()
    }

    /// Log likelihood of the readings in use, each half under a fit to the other.
    pub(crate) fn score(&self, laid: &Layout, response: FittedResponse) -> f64 {
        let samples = &self.subset.samples[..self.count];
        let Some([first, second]) = self.halves(laid, response) else { return f64::NEG_INFINITY };
        let missed = |a: &NormalEquations, b: &NormalEquations| {
            solve::held_out(a, b).map_or(f64::NEG_INFINITY, |(missed, _)| -0.5 * missed.max(1e-12).ln())
        };
        // Readings taken back to their conversions are larger than what changed in the register by this factor.
        let factor = scale(response, samples);
        samples.len() as f64 * (0.5 * (missed(&first, &second) + missed(&second, &first)) - factor.ln())
    }

    /// The share of the scatter of the readings in use that a fit to the other half of them predicts.
    fn predicted(&self, response: FittedResponse) -> f64 {
        let Some([first, second]) = self.halves(&self.lay_out(response.gap_us), response) else { return 0.0 };
        let of = |a, b| solve::held_out(a, b).map_or(0.0, |(missed, all)| 1.0 - missed / all.max(f64::MIN_POSITIVE));
        0.5 * (of(&first, &second) + of(&second, &first))
    }

    /// The sums over each half of the readings in use. `None` with too few readings in one.
    fn halves(&self, (start_us, pieces): &Layout, response: FittedResponse) -> Option<[NormalEquations; 2]> {
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
        (halves[0].count >= 16 && halves[1].count >= 16).then_some(halves)
    }

    /// The sums over the readings in use, with columns for what varies.
    fn sums(&self, response: FittedResponse, memory: f64, columns: &mut NuisanceColumns) -> NormalEquations {
        let timelines: Vec<Timeline> = columns.gaps().iter().map(|&gap| self.timeline(gap)).collect();
        let timeline = self.timeline(response.gap_us);
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
    fn descend(&self, start: FittedResponse, varied: &[Varied], steps: usize, memory: f64) -> (FittedResponse, f64) {
        let fit = |response| {
            let sums = self.sums(response, memory, &mut NuisanceColumns::none());
            self.quick(&sums, Vec::new()).filter(|_| sums.count >= 16)
        };
        let Some(mut current) = fit(start) else { return (start, f64::INFINITY) };
        let mut response = start;
        for _ in 0..steps {
            let mut columns = NuisanceColumns::of(varied, response, &current.watts, memory);
            let sums = self.sums(response, memory, &mut columns);
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
        let (start_us, pieces) = self.lay_out(response.gap_us);
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
