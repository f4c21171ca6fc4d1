//! The last steps of the search for the sensor's response: all parameters at once.

use super::calibration::CalibrationSubset;
use super::normal_equations::NormalEquations;
use super::nuisance::NuisanceColumns;
use super::response::FittedResponse;
use super::solve;
use super::timeline::Timeline;
use super::weights::ReadingWeights;

/// Steps of delay, window and gap together to where the readings kept fit best: Gauss and Newton's method, which the
/// search one by one leaves close enough to.
pub(crate) fn polish(
    subset: &mut CalibrationSubset,
    mut response: FittedResponse,
    components: usize,
    window_known: bool,
    sample_us: f64,
) -> FittedResponse {
    let mut best = (f64::INFINITY, response);
    for _ in 0..6 {
        let mut nuisances = NuisanceColumns::of(subset, response, components, window_known, sample_us);
        if nuisances.len() == 0 {
            break;
        }
        let timelines: Vec<Timeline> = nuisances.gaps().iter().map(|&gap| subset.timeline(gap)).collect();
        let timeline = subset.timeline(response.gap_us);
        let mut rows = ReadingWeights::new(components, response);
        let mut sums = NormalEquations::new(components + nuisances.len(), 1e6);
        for &sample in &subset.samples {
            if rows.weigh(timeline.start_us, &timeline.pieces, sample.at_us)
                && nuisances.weigh(&timeline, &timelines, sample.at_us)
            {
                let (row, touched) = rows.weights();
                sums.add_with(sample, row, touched, &nuisances.values);
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
        response = nuisances.corrected(response, &solution.nuisances);
        (subset.start_us, subset.pieces) = subset.lay_out(response.gap_us);
    }
    // The last step may have led away: the best of all counts.
    (subset.start_us, subset.pieces) = subset.lay_out(best.1.gap_us);
    best.1
}
