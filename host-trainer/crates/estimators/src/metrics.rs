//! The figures by which a predictor is judged.

use serde::{Deserialize, Serialize};

/// Measured values closer to zero than this are left out of relative errors, and counted.
pub const NEARLY_ZERO: f64 = 1e-9;

/// Errors of predictions against measurements.
///
/// ```
/// use estimators::metrics::Metrics;
///
/// let metrics = Metrics::of(&[1.0, 2.0], &[1.1, 1.8]);
/// assert_eq!(metrics.n, 2);
/// assert!((metrics.mape_percent.unwrap() - 10.0).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Metrics {
    /// Number of pairs.
    pub n: usize,
    /// Mean absolute percentage error.
    pub mape_percent: Option<f64>,
    /// Root of the mean squared percentage error.
    pub rmspe_percent: Option<f64>,
    /// Share of predictions within ±10 % of the measurement, in percent.
    pub within_10_percent: Option<f64>,
    /// Pairs left out of the three figures above, since the measurement is as good as zero.
    pub excluded: usize,
    /// Coefficient of determination; none for fewer than two pairs or equal measurements.
    pub r2: Option<f64>,
    /// Mean absolute error, in the target's unit.
    pub mae: Option<f64>,
    /// Root of the mean squared error, in the target's unit.
    pub rmse: Option<f64>,
    /// Predictions that are zero or less, or no number: nothing that is measured here can be.
    pub non_positive: usize,
}

impl Metrics {
    /// Compares predictions with measurements, pair by pair.
    #[must_use]
    pub fn of(measured: &[f64], predicted: &[f64]) -> Self {
        let mut errors = Errors::default();
        measured.iter().zip(predicted).for_each(|(y, p)| errors.add(*y, *p));
        errors.metrics(measured[..errors.n].iter().copied())
    }
}

/// Sums over the errors of predictions, which come one after the other and need not be kept.
///
/// ```
/// use estimators::metrics::{Errors, Metrics};
///
/// let (measured, predicted) = ([1.0, 2.0], [1.1, 1.8]);
/// let mut errors = Errors::default();
/// measured.iter().zip(predicted).for_each(|(y, p)| errors.add(*y, p));
/// assert_eq!(errors.metrics(measured.iter().copied()), Metrics::of(&measured, &predicted));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Errors {
    n: usize,
    /// Pairs with a relative error, and sums over them: of the error, of its square, and of those within 10 %.
    relative: usize,
    relative_sum: f64,
    relative_squares: f64,
    within: f64,
    /// Sums over all pairs: of the error, and of its square.
    sum: f64,
    squares: f64,
    non_positive: usize,
}

impl Errors {
    /// Adds a pair.
    pub fn add(&mut self, measured: f64, predicted: f64) {
        self.n += 1;
        if measured.abs() > NEARLY_ZERO {
            let error = ((predicted - measured) / measured).abs();
            self.relative += 1;
            self.relative_sum += error;
            self.relative_squares += error * error;
            self.within += f64::from(u8::from(error <= 0.1));
        }
        let error = predicted - measured;
        self.sum += error.abs();
        self.squares += error * error;
        self.non_positive += usize::from(!predicted.is_finite() || predicted <= 0.0);
    }

    /// The figures of the pairs so far. `measured` are their measurements once more, in their order: their spread takes their
    /// mean first.
    #[must_use]
    pub fn metrics(&self, measured: impl Iterator<Item = f64> + Clone) -> Metrics {
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        let squares = mean(self.squares, self.n);
        let centre = mean(measured.clone().sum(), self.n).unwrap_or(0.0);
        let spread = measured.map(|y| (y - centre) * (y - centre)).sum::<f64>();
        Metrics {
            n: self.n,
            mape_percent: mean(self.relative_sum, self.relative).map(|m| 100.0 * m),
            rmspe_percent: mean(self.relative_squares, self.relative).map(|m| 100.0 * m.sqrt()),
            within_10_percent: mean(self.within, self.relative).map(|m| 100.0 * m),
            excluded: self.n - self.relative,
            r2: squares.filter(|_| self.n > 1 && spread > 0.0).map(|s| 1.0 - s * self.n as f64 / spread),
            mae: mean(self.sum, self.n),
            rmse: squares.map(f64::sqrt),
            non_positive: self.non_positive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_case_by_hand() {
        let metrics = Metrics::of(&[1.0, 2.0, 4.0, 0.0], &[1.1, 1.0, 4.0, 0.5]);
        assert_eq!((metrics.n, metrics.excluded, metrics.non_positive), (4, 1, 0));
        let close = |a: Option<f64>, b: f64| (a.expect("a figure") - b).abs() < 1e-9;
        assert!(close(metrics.mape_percent, 20.0));
        assert!(close(metrics.rmspe_percent, 100.0 * ((0.01 + 0.25) / 3.0_f64).sqrt()));
        assert!(close(metrics.within_10_percent, 200.0 / 3.0) || close(metrics.within_10_percent, 100.0 / 3.0));
        assert!(close(metrics.mae, 1.6 / 4.0));
        assert!(close(metrics.r2, 1.0 - 1.26 / 8.75));
    }

    #[test]
    fn nothing_to_compare_gives_no_figures() {
        let metrics = Metrics::of(&[], &[]);
        assert_eq!((metrics.n, metrics.mape_percent, metrics.r2), (0, None, None));
    }

    #[test]
    fn non_positive_predictions_are_counted() {
        assert_eq!(Metrics::of(&[1.0; 3], &[-1.0, 0.0, f64::NAN]).non_positive, 3);
    }
}
