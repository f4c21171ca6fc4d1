//! The parts of the sensor's response that the log itself has to tell: averaging window, and phase between readings and
//! inferences.

use super::attribute::Kept;
use super::design::{Response, Rows, Sample, Sums};
use super::linalg::dot;
use super::sensor::Sensor;
use super::solve;
use rayon::prelude::*;

/// Readings used while searching.
const SEARCH: usize = 1500;
/// Readings used at the end of the search.
const REFINE: usize = 6000;

/// The response to use: what is known of the sensor, and for the rest what explains the readings best.
pub(super) fn response(sensor: &Sensor, kept: &Kept, components: usize, sample_us: f64) -> Response {
    let lag_us = sensor.lag_ms.unwrap_or(0.0) * 1e3;
    let known_window = sensor.window_ms.map(|ms| ms * 1e3);
    let mut best = Response { window_us: known_window.unwrap_or(0.5 * sample_us), lag_us, delay_us: 0.0 };
    // A slow lag averages whole inferences: a delay of a fraction of one changes nothing.
    if lag_us > 10.0 * sample_us || kept.samples.len() < 32 || sample_us <= 0.0 {
        return Response { window_us: if lag_us > 0.0 { 0.0 } else { best.window_us }, ..best };
    }
    if lag_us > 0.0 {
        best.window_us = 0.0;
    }
    let search = window_unknown(known_window, lag_us);
    let reach = (1.5 * sample_us).max(300.0);
    let step = (sample_us / 8.0).max(reach / 40.0);
    let steps = (reach / step).round() as i32;
    best = choose(kept, components, SEARCH, (-steps..=steps).map(|k| Response { delay_us: f64::from(k) * step, ..best }), best);
    let mut step = step;
    for round in 0..3 {
        let count = if round < 2 { SEARCH } else { REFINE };
        if search {
            let widths = if round == 0 {
                (1..=8).map(|k| f64::from(k) * sample_us / 8.0).collect::<Vec<_>>()
            } else {
                let fine = sample_us / 8.0 / 3_f64.powi(round);
                (-2..=2).map(|k| (best.window_us + f64::from(k) * fine).clamp(sample_us * 0.02, 1.2 * sample_us)).collect()
            };
            // The middle of the window stays where it is.
            let middle = best.delay_us + best.window_us / 2.0;
            let candidates =
                widths.into_iter().map(|w| Response { window_us: w, delay_us: middle - w / 2.0, ..best });
            best = choose(kept, components, count, candidates, best);
        }
        step /= 3.0;
        let around = (-3..=3).map(|k| Response { delay_us: best.delay_us + f64::from(k) * step, ..best });
        best = choose(kept, components, count, around, best);
    }
    best
}

fn window_unknown(known: Option<f64>, lag_us: f64) -> bool {
    known.is_none() && lag_us <= 0.0
}

fn choose(
    kept: &Kept,
    components: usize,
    count: usize,
    candidates: impl Iterator<Item = Response>,
    fallback: Response,
) -> Response {
    let samples = &kept.samples[..count.min(kept.samples.len())];
    let scored: Vec<(f64, Response)> = candidates
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|response| (score(kept, samples, components, response), response))
        .collect();
    scored.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map_or(fallback, |s| s.1)
}

fn score(kept: &Kept, samples: &[Sample], components: usize, response: Response) -> f64 {
    let mut sums = Sums::new(components, 1e6);
    Rows::new(components, response).each(kept.start_us, &kept.pieces, samples, |s, row, touched| {
        sums.add(s, row, touched);
    });
    sums.finish();
    if sums.count < 16 {
        return 0.0;
    }
    solve::explained(&sums, sums.total / sums.count as f64)
}

/// How many readings count as one independent one: one plus twice the sum of the residuals' correlations, as far as
/// these stand out.
pub(super) fn inflation(kept: &Kept, watts: &[f64], response: Response) -> f64 {
    let mut residuals = Vec::with_capacity(kept.samples.len());
    Rows::new(watts.len(), response).each(kept.start_us, &kept.pieces, &kept.samples, |sample, row, _| {
        residuals.push(sample.watts - dot(row, watts));
    });
    let n = residuals.len();
    if n < 64 {
        return 1.0;
    }
    let mean = residuals.iter().sum::<f64>() / n as f64;
    for residual in &mut residuals {
        *residual -= mean;
    }
    let variance = dot(&residuals, &residuals) / n as f64;
    if variance <= 0.0 {
        return 1.0;
    }
    let noise = 2.0 / (n as f64).sqrt();
    let mut sum = 0.0;
    for lag in 1..n / 4 {
        let correlation = dot(&residuals[lag..], &residuals[..n - lag]) / n as f64 / variance;
        if correlation < noise {
            break;
        }
        sum += correlation;
    }
    1.0 + 2.0 * sum
}
