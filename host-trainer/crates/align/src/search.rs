//! The parts of the sensor's response that the log itself has to tell: averaging window, phase between readings and
//! inferences, and time between layers where the stamps hide it.
//!
//! Each is searched for where a fit to one half of some readings best predicts the other half.

use super::calibration::CalibrationSubset;
use super::normal_equations::NormalEquations;
use super::pieces::{Piece, Sample};
use super::predictability::predictability;
use super::response::FittedResponse;
use super::solve;
use super::stamps::Stamps;
use super::survey::SensorReport;
use super::weights::ReadingWeights;
use rayon::prelude::*;
use shared::sensor::SensorResponse;
use shared::units::Micros;

/// Readings used while searching.
const SEARCH: usize = 2000;
/// Readings used at the end of the search.
const REFINE: usize = 8000;

/// The response to use, and whether its window is known rather than found here.
///
/// A step in the log shows the sensor's answer only down to the length of an inference: below that, the load itself goes
/// up and down. A lag or window that short has to predict readings better than the one that is found without it.
pub(crate) fn response(
    sensor: &SensorReport,
    subset: &mut CalibrationSubset,
    components: usize,
    sample_us: f64,
    period_us: f64,
) -> (FittedResponse, bool) {
    let known = sensor.response;
    let from_step = sensor.known_from == "step in the log";
    let longest = sensor.lag().0.max(known.window.unwrap_or_default().0);
    if from_step && longest > 0.0 && longest < 5.0 * period_us {
        let told = search(known, subset, components, sample_us, period_us);
        let told_predicts = predictability(subset, components, told);
        let open = SensorResponse { lag: Some(Micros(0.0)), window: None, ..known };
        let found = search(open, subset, components, sample_us, period_us);
        if predictability(subset, components, found) >= told_predicts {
            return (found, false);
        }
        (subset.start_us, subset.pieces) = subset.lay_out(told.gap_us);
        return (told, known.window.is_some());
    }
    (search(known, subset, components, sample_us, period_us), known.window.is_some())
}

/// What is known of the sensor, and for the rest what explains the readings best.
fn search(
    known: SensorResponse,
    subset: &mut CalibrationSubset,
    components: usize,
    sample_us: f64,
    period_us: f64,
) -> FittedResponse {
    (subset.start_us, subset.pieces) = subset.lay_out(0.0);
    let lag_us = known.lag.unwrap_or_default().0;
    let known_window = known.window.map(|window| window.0);
    let window_us = if lag_us > 0.0 { 0.0 } else { known_window.unwrap_or(0.5 * sample_us) };
    let start = FittedResponse { window_us, lag_us, delay_us: 0.0, gap_us: 0.0 };
    // A slow lag averages whole inferences: a delay of a fraction of one changes nothing.
    if lag_us > 10.0 * sample_us || subset.samples.len() < 64 || sample_us <= 0.0 {
        return start;
    }
    // Where readings come slower than renewals, a reading's window lay anywhere within a renewal before it.
    let widest = if known.refresh.is_some() { 1.2 } else { 2.5 } * sample_us;
    let mut search = Search { subset, components, best: start, count: SEARCH };
    let window_open = known_window.is_none() && lag_us <= 0.0;
    let reach = (1.5 * sample_us).max(300.0);
    let mut step = (sample_us / 8.0).max(reach / 40.0);
    let steps = (reach / step).round() as i32;
    search.delays(steps, step);
    // A meter that sees single layers finds no delay before the gaps are about right: both are searched together.
    if search.subset.stamps == Stamps::Callback && window_us < 0.2 * period_us && lag_us <= 0.0 {
        search.gaps_and_delays(steps, step);
    }
    for round in 0..5 {
        if round >= 2 {
            search.count = REFINE;
        }
        if window_open {
            let fine = sample_us / 8.0 / 3_f64.powi(round.min(3));
            let widths: Vec<f64> = if round == 0 {
                (1..).map(|k| f64::from(k) * fine).take_while(|w| *w <= widest).collect()
            } else {
                (-2..=2).map(|k| search.best.window_us + f64::from(k) * fine).collect()
            };
            search.windows(widths.into_iter().map(|w| w.clamp(0.02 * sample_us, widest)));
        }
        // Gaps between layers show only once the rest is about right.
        if round >= 2 && search.subset.stamps == Stamps::Callback {
            search.gaps(round - 2);
        }
        step /= 3.0;
        search.delays(3, step);
    }
    search.sharpen(step);
    search.sharpen(step / 2.0);
    let best = search.best;
    (subset.start_us, subset.pieces) = subset.lay_out(best.gap_us);
    best
}

struct Search<'a> {
    subset: &'a mut CalibrationSubset,
    components: usize,
    best: FittedResponse,
    count: usize,
}

impl Search<'_> {
    fn score(&self, start_us: f64, pieces: &[Piece], response: FittedResponse) -> f64 {
        let samples = &self.subset.samples[..self.count.min(self.subset.samples.len())];
        let (first, second) = samples.split_at(samples.len() / 2);
        let sums = |part: &[Sample]| {
            let mut sums = NormalEquations::new(self.components, 1e6);
            ReadingWeights::new(self.components, response).each(start_us, pieces, part, |s, row, touched| {
                sums.add(s, row, touched);
            });
            sums.finish();
            sums
        };
        let (first, second) = (sums(first), sums(second));
        if first.count < 16 || second.count < 16 {
            return 0.0;
        }
        solve::predicted(&first, &second) + solve::predicted(&second, &first)
    }

    /// Takes the best of some responses on the timeline as it is laid out.
    fn choose(&mut self, candidates: Vec<FittedResponse>) {
        let scored: Vec<(f64, FittedResponse)> = candidates
            .into_par_iter()
            .map(|response| (self.score(self.subset.start_us, &self.subset.pieces, response), response))
            .collect();
        if let Some(best) = scored.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            self.best = best.1;
        }
    }

    fn delays(&mut self, count: i32, step: f64) {
        let best = self.best;
        self.choose(
            (-count..=count)
                .map(|k| FittedResponse { delay_us: best.delay_us + f64::from(k) * step, ..best })
                .collect(),
        );
    }

    /// Tries window lengths; the window's middle stays where it is.
    fn windows(&mut self, widths: impl Iterator<Item = f64>) {
        let best = self.best;
        let middle = best.delay_us + best.window_us / 2.0;
        self.choose(widths.map(|w| FittedResponse { window_us: w, delay_us: middle - w / 2.0, ..best }).collect());
    }

    /// Tries gaps between layers; the middle of the inference stays where it is.
    fn gaps(&mut self, round: i32) {
        let (best, layers) = (self.best, self.components as f64 - 1.0);
        let longest = self.subset.longest_gap_us() + best.gap_us;
        let mut gaps: Vec<f64> = if round == 0 {
            (0..40).map(|k| 0.25 * 1.6_f64.powi(k)).take_while(|g| *g < longest).collect()
        } else {
            let width = 0.6 / 2_f64.powi(round);
            (-2..=2).map(|k| (best.gap_us * (1.0 + f64::from(k) * width / 2.0)).min(longest).max(0.0)).collect()
        };
        gaps.push(0.0);
        let scored: Vec<(f64, FittedResponse, (f64, Vec<Piece>))> = gaps
            .into_par_iter()
            .map(|gap_us| {
                let laid = self.subset.lay_out(gap_us);
                let delay_us = best.delay_us + (gap_us - best.gap_us) * (layers - 1.0) / 2.0;
                let response = FittedResponse { gap_us, delay_us, ..best };
                (self.score(laid.0, &laid.1, response), response, laid)
            })
            .collect();
        if let Some((_, response, laid)) = scored.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            self.best = response;
            (self.subset.start_us, self.subset.pieces) = laid;
        }
    }

    /// Tries gaps between layers, each with delays around the one that keeps the middle of the inference in place.
    fn gaps_and_delays(&mut self, steps: i32, step: f64) {
        let layers = self.components as f64 - 1.0;
        let longest = self.subset.longest_gap_us();
        let gaps: Vec<f64> =
            (0..24).map(|k| 0.25 * 1.35_f64.powi(k)).take_while(|g| *g < longest).chain([0.0]).collect();
        let start = FittedResponse { delay_us: 0.0, ..self.best };
        let scored: Vec<(f64, FittedResponse, (f64, Vec<Piece>))> = gaps
            .into_par_iter()
            .filter_map(|gap_us| {
                let laid = self.subset.lay_out(gap_us);
                let middle = gap_us * (layers - 1.0) / 2.0;
                let at = |k: i32| FittedResponse { gap_us, delay_us: middle + f64::from(k) * step, ..start };
                let all = (-steps..=steps).map(|k| (self.score(laid.0, &laid.1, at(k)), at(k)));
                let best = all.max_by(|a, b| a.0.total_cmp(&b.0))?;
                Some((best.0, best.1, laid))
            })
            .collect();
        if let Some((_, response, laid)) = scored.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            self.best = response;
            (self.subset.start_us, self.subset.pieces) = laid;
        }
    }

    /// The top of a parabola through the scores at three delays: a few microseconds matter to a short layer.
    fn sharpen(&mut self, step: f64) {
        let best = self.best;
        let at = |k: f64| FittedResponse { delay_us: best.delay_us + k * step, ..best };
        let scores: Vec<f64> = [-1.0, 0.0, 1.0]
            .into_par_iter()
            .map(|k| self.score(self.subset.start_us, &self.subset.pieces, at(k)))
            .collect();
        let bend = scores[0] - 2.0 * scores[1] + scores[2];
        if bend < 0.0 {
            self.best = at((0.5 * (scores[0] - scores[2]) / bend).clamp(-1.0, 1.0));
        }
    }
}
