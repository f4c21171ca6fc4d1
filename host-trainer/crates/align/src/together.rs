//! How well the mean power of neighbouring layers together is known.
//!
//! Boundaries between the layers of a group do not matter to it, and what the fit takes from one layer and gives to its
//! neighbour cancels. What is left is worked out for the group as a whole: its variance in the fit's covariance, its own
//! scatter between parts of the run, its outer boundaries, and its mean under other responses.

use super::misfit::Stability;
use super::solve::Solution;

/// What the checks of a fit say of means over layers.
#[derive(Debug, Clone)]
pub(crate) struct GroupErrors {
    /// What variances are multiplied by for the choice of the response and for a load that differs from run to run.
    pub(crate) chosen: f64,
    /// What the noise of the fit was multiplied by.
    pub(crate) failed: f64,
    /// Scatter between parts of the run.
    pub(crate) stability: Option<Stability>,
    /// How far a group's outer boundaries may be off, in ms.
    pub(crate) boundary_ms: f64,
    /// Powers under other responses that fit as well, less those under the one used.
    pub(crate) others: Vec<Vec<f64>>,
}

impl GroupErrors {
    /// Variance of the mean power of the layers from `first` to `last`, whose weights add up to one. `time_ms` is their
    /// time in an inference, `share` each component's share of it.
    pub(crate) fn variance(
        &self,
        solution: &Solution,
        share: &[f64],
        weights: &[f64],
        (first, last): (usize, usize),
        time_ms: f64,
    ) -> f64 {
        let fitted = solution.deviation_of(weights, share).powi(2);
        let own = self.stability.as_ref().map_or(self.failed, |stability| {
            self.failed - stability.pooled.max(1.0) + stability.of(weights, fitted).max(1.0)
        });
        let watts = &solution.watts;
        let outside = watts.len() - 1;
        let before = watts[first] - watts[if first == 0 { outside } else { first - 1 }];
        let after = watts[last] - watts[last + 1];
        let edges = self.boundary_ms / time_ms.max(self.boundary_ms) * before.hypot(after);
        fitted * self.chosen * own / self.failed + edges * edges + spread(&self.others, weights)
    }
}

/// Mean square by which a weighted mean of powers differs under other responses.
pub(crate) fn spread(others: &[Vec<f64>], weights: &[f64]) -> f64 {
    let off = |powers: &Vec<f64>| powers.iter().zip(weights).map(|(p, w)| p * w).sum::<f64>();
    others.iter().map(|powers| off(powers).powi(2)).sum::<f64>() / (others.len() as f64 + 1.0)
}
