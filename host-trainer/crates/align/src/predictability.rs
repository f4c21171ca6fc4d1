//! Whether a fit can be believed: how much of the readings' scatter it predicts, and how far they depend on each other.

use super::calibration::CalibrationSubset;
use super::linalg::dot;
use super::normal_equations::NormalEquations;
use super::pieces::Sample;
use super::response::FittedResponse;
use super::solve;
use super::weights::ReadingWeights;

/// Share of the readings' scatter that has to be predictable from when layers ran before a fit is believed.
pub(crate) const PREDICTABLE: f64 = 0.3;

/// How much of the second half's scatter a fit to the first half predicts, and the other way round: the mean of both
/// shares. At most 1; about 0 or below where readings have nothing to do with when layers ran.
pub(crate) fn predictability(subset: &CalibrationSubset, components: usize, response: FittedResponse) -> f64 {
    let samples = subset.samples.len();
    let sums = |part: &[Sample]| {
        let mut sums = NormalEquations::new(components, (20.0 * response.lag_us).max(1e6));
        ReadingWeights::new(components, response).each(subset.start_us, &subset.pieces, part, |s, row, touched| {
            sums.add(s, row, touched);
        });
        sums.finish();
        sums
    };
    let (first, second) = (sums(&subset.samples[..samples / 2]), sums(&subset.samples[samples / 2..]));
    if first.count < 16 || second.count < 16 {
        return 0.0;
    }
    (solve::predicted(&first, &second) + solve::predicted(&second, &first)) / 2.0
}

/// How many readings count as one independent one: one plus twice the sum of the residuals' correlations, as far as
/// these stand out.
pub(crate) fn inflation(subset: &CalibrationSubset, watts: &[f64], response: FittedResponse) -> f64 {
    let mut residuals = Vec::with_capacity(subset.samples.len());
    ReadingWeights::new(watts.len(), response).each(
        subset.start_us,
        &subset.pieces,
        &subset.samples,
        |sample, row, _| {
            residuals.push(sample.watts - dot(row, watts));
        },
    );
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
