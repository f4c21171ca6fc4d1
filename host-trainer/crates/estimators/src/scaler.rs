//! Scalers: a centre and a scale for every column, with the rules of scikit-learn 1.9.1's `StandardScaler`,
//! `RobustScaler` and `MinMaxScaler`.
//!
//! A scaled value is `(x - centre) / scale`. A column that does not vary gets scale 1, so that it becomes zero (or nearly)
//! rather than infinite.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::design::Design;

/// Which centre and scale a column gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalerKind {
    /// Mean and population standard deviation.
    Standard,
    /// Median and inter-quartile range; quartiles interpolate linearly between order statistics.
    Robust,
    /// Minimum and range, so that training values fill 0 to 1.
    MinMax,
}

/// Why a scaler cannot be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScalerError {
    /// There are no rows.
    #[error("a scaler needs at least one row")]
    Empty,
    /// A value is NaN or infinite.
    #[error("row {row}, column {column} is not a finite number")]
    NotFinite {
        /// Row of the first such value.
        row: usize,
        /// Its column.
        column: usize,
    },
}

/// A fitted scaler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// The rule.
    pub kind: ScalerKind,
    /// What is subtracted, one value a column.
    pub centre: Vec<f64>,
    /// What the difference is divided by, one value a column; never zero.
    pub scale: Vec<f64>,
}

impl Scaler {
    /// Finds every column's centre and scale.
    ///
    /// # Errors
    /// No rows, or a value that is not finite.
    pub fn fit(kind: ScalerKind, design: &Design) -> Result<Self, ScalerError> {
        if design.rows() == 0 {
            return Err(ScalerError::Empty);
        }
        if let Some((row, column)) = design.first_not_finite() {
            return Err(ScalerError::NotFinite { row, column });
        }
        let (centre, scale) = (0..design.columns())
            .into_par_iter()
            .map(|index| {
                let column = design.column(index);
                match kind {
                    ScalerKind::Standard => standard(column),
                    ScalerKind::Robust => robust(column),
                    ScalerKind::MinMax => min_max(column),
                }
            })
            .unzip();
        Ok(Self { kind, centre, scale })
    }

    /// The design with every column centred and scaled.
    ///
    /// # Panics
    /// Where the design has not as many columns as the one the scaler was fitted on.
    #[must_use]
    pub fn transform(&self, mut design: Design) -> Design {
        assert_eq!(design.columns(), self.centre.len(), "columns of the design and of the scaler");
        design.update_columns(|index, column| {
            let (centre, scale) = (self.centre[index], self.scale[index]);
            column.iter_mut().for_each(|x| *x = (*x - centre) / scale);
        });
        design
    }
}

/// Mean and population standard deviation, by the corrected two-pass algorithm of Chan, Golub and LeVeque. A column whose
/// variance lies within that algorithm's error bound counts as constant.
fn standard(column: &[f64]) -> (f64, f64) {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let (sum, squares) = column.iter().fold((0.0, 0.0), |(sum, squares), x| {
        let deviation = x - mean;
        (sum + deviation, squares + deviation * deviation)
    });
    let variance = (squares - sum * sum / n) / n;
    let bound = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    (mean, if variance <= bound { 1.0 } else { variance.sqrt() })
}

fn robust(column: &[f64]) -> (f64, f64) {
    let mut sorted = column.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median =
        if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] };
    (median, or_one(quantile(&sorted, 0.75) - quantile(&sorted, 0.25)))
}

fn min_max(column: &[f64]) -> (f64, f64) {
    let (low, high) =
        column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    (low, or_one(high - low))
}

/// A range too small to divide by becomes 1.
fn or_one(range: f64) -> f64 {
    if range < 10.0 * f64::EPSILON { 1.0 } else { range }
}

/// A quantile of sorted values, linear between order statistics.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor();
    let (low, high) = (sorted[below as usize], sorted[position.ceil() as usize]);
    let fraction = position - below;
    // From the nearer end, as numpy does, so that the result never leaves the two neighbours.
    if fraction < 0.5 { low + (high - low) * fraction } else { high - (high - low) * (1.0 - fraction) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(kind: ScalerKind, column: &[f64]) -> (f64, f64) {
        let scaler = Scaler::fit(kind, &Design::from_columns(&[column]).expect("one column")).expect("finite");
        (scaler.centre[0], scaler.scale[0])
    }

    #[test]
    fn known_columns() {
        let column = [1.0, 2.0, 4.0, 9.0];
        assert_eq!(fit(ScalerKind::Standard, &column), (4.0, 9.5f64.sqrt()));
        assert_eq!(fit(ScalerKind::Robust, &column), (3.0, 5.25 - 1.75));
        assert_eq!(fit(ScalerKind::MinMax, &column), (1.0, 8.0));
        assert_eq!(fit(ScalerKind::Robust, &[7.0, 1.0, 3.0]), (3.0, 5.0 - 2.0));
    }

    #[test]
    fn a_constant_column_gets_scale_one() {
        for kind in [ScalerKind::Standard, ScalerKind::Robust, ScalerKind::MinMax] {
            // 0.1 has no exact mean of 7; 1e9 + tiny noise is below what the variance can resolve.
            for column in [&[0.1; 7][..], &[0.0; 3], &[-1e300; 2], &[5.0]] {
                let (centre, scale) = fit(kind, column);
                assert_eq!(scale, 1.0, "{kind:?} {column:?}");
                assert!((centre - column[0]).abs() <= 1e-15 * column[0].abs());
            }
        }
        assert_eq!(fit(ScalerKind::Standard, &[1e9, 1e9 + 1e-7, 1e9, 1e9]).1, 1.0);
        assert_eq!(fit(ScalerKind::MinMax, &[0.0, 2e-15]).1, 1.0);
        assert_eq!(fit(ScalerKind::MinMax, &[0.0, 3e-15]).1, 3e-15);
    }

    #[test]
    fn empty_and_not_finite_are_refused() {
        let empty = Design::from_columns(&[[0.0; 0]]).expect("no rows");
        assert_eq!(Scaler::fit(ScalerKind::Standard, &empty), Err(ScalerError::Empty));
        let nan = Design::from_columns(&[[0.0, 1.0], [1.0, f64::NAN]]).expect("two columns");
        assert_eq!(Scaler::fit(ScalerKind::MinMax, &nan), Err(ScalerError::NotFinite { row: 1, column: 1 }));
    }

    proptest! {
        #[test]
        fn a_scaled_column_has_the_promised_location_and_spread(
            column in proptest::collection::vec(-1e6..1e6f64, 4..40),
        ) {
            prop_assume!(column.iter().any(|x| (x - column[0]).abs() > 1.0));
            let design = Design::from_columns(&[&column]).expect("one column");
            let scaled = |kind| Scaler::fit(kind, &design).expect("finite").transform(design.clone());
            let standard = scaled(ScalerKind::Standard);
            let n = column.len() as f64;
            let mean = standard.column(0).iter().sum::<f64>() / n;
            let variance = standard.column(0).iter().map(|x| x * x).sum::<f64>() / n;
            prop_assert!(mean.abs() < 1e-9 && (variance - 1.0).abs() < 1e-9);
            let unit = scaled(ScalerKind::MinMax);
            prop_assert!(unit.column(0).iter().all(|x| (0.0..=1.0).contains(x)));
            prop_assert!(unit.column(0).contains(&0.0) && unit.column(0).contains(&1.0));
            let robust = scaled(ScalerKind::Robust);
            prop_assert!(robust.column(0).iter().filter(|x| **x < -1e-9).count() * 2 <= column.len());
        }
    }
}
