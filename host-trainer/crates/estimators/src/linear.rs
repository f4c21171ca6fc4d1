//! Ordinary least squares by `linfa-linear`, and a gamma regression on top of it.
//!
//! Columns that are combinations of the columns before them are left out first: `linfa-linear` solves by a QR decomposition
//! that takes columns of full rank. Their coefficients are zero.

use crate::design::{Design, ShapeError};
use crate::linalg::dot;
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};

/// A column whose part orthogonal to the columns before it has less than this share of its squared length depends on them.
const DEPENDENT: f64 = 1e-10;
/// Lanes of a scalar product.
const LANES: usize = 8;
/// Steps of Fisher's scoring at most.
const MOST_ITERATIONS: usize = 100;
/// How often a step that does not help is halved at most.
const MOST_HALVINGS: i32 = 12;
/// Scoring stops where a step lowers the objective by less than this a row.
const TOLERANCE: f64 = 1e-15;

/// A linear model that could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum LinearError {
    /// The target does not have one value a row, or there are no rows.
    #[error("{found} target values do not fit {rows} rows")]
    Length {
        /// Values of the target.
        found: usize,
        /// Rows of the design.
        rows: usize,
    },
    /// The design or the target hold NaN or an infinity.
    #[error("row {row} holds a value that is not a finite number")]
    NotFinite {
        /// The first such row.
        row: usize,
    },
    /// A gamma distribution has values above zero only.
    #[error("row {row} measures {value}, and a gamma regression takes values above zero")]
    NotPositive {
        /// The row.
        row: usize,
        /// Its value.
        value: f64,
    },
    /// Columns of different lengths.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The solver failed.
    #[error("the solver failed: {0}")]
    Solver(#[from] linfa_linear::LinearError<f64>),
}

/// Coefficients of a linear model.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearFit {
    /// One coefficient a column of the design, zero for columns left out.
    pub coefficients: Vec<f64>,
    /// The intercept; zero where none is fitted.
    pub intercept: f64,
    /// Columns left out, since they depend on columns before them or there are too few rows, ascending.
    pub dependent: Vec<usize>,
}

/// Minimises `Σᵢ (yᵢ − xᵢ·w)²`; there is no intercept unless a column of the design is constant.
///
/// ```
/// use estimators::design::Design;
/// use estimators::linear::least_squares;
///
/// // y = 3 + 2·x; the third column repeats the second and is left out.
/// let x = [0.0, 1.0, 2.0, 3.0];
/// let design = Design::from_columns(&[[1.0; 4], x, x])?;
/// let fit = least_squares(&design, &[3.0, 5.0, 7.0, 9.0])?;
/// assert!((fit.coefficients[0] - 3.0).abs() < 1e-9 && (fit.coefficients[1] - 2.0).abs() < 1e-9);
/// assert_eq!(fit.dependent, [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// No rows, lengths that disagree, or values that are not finite.
pub fn least_squares(design: &Design, target: &[f64]) -> Result<LinearFit, LinearError> {
    check(design, target)?;
    let kept = independent(design, design.rows());
    let mut coefficients = vec![0.0; design.columns()];
    if !kept.is_empty() {
        let model = LinearRegression::new().with_intercept(false).fit(&dataset(design, &kept, target))?;
        kept.iter().zip(model.params()).for_each(|(&column, value)| coefficients[column] = *value);
    }
    Ok(LinearFit { coefficients, intercept: 0.0, dependent: others(design.columns(), &kept) })
}

/// Fits a generalised linear model with gamma-distributed values and a logarithmic link: `E[yᵢ] = exp(b + xᵢ·w)`.
///
/// Minimises half the deviance plus `½·penalty·‖w‖²` (Nelder and Wedderburn, *Generalized Linear Models*, 1972) by
/// Fisher's scoring on [`least_squares`]. `linfa-linear`'s `TweedieRegressor` is not used: the line search of its L-BFGS has no
/// bound on its steps, and did not end on layers of constant power.
/// A gamma distribution has a constant relative spread, so relative errors count. Columns should be standardised, since the
/// penalty is on their coefficients.
///
/// # Errors
/// No rows, lengths that disagree, values that are not finite, a target that is not positive, or a solver that fails.
pub fn gamma(design: &Design, target: &[f64], penalty: f64) -> Result<LinearFit, LinearError> {
    check(design, target)?;
    if let Some((row, &value)) = target.iter().enumerate().find(|(_, y)| **y <= 0.0) {
        return Err(LinearError::NotPositive { row, value });
    }
    // A change of unit changes the intercept alone.
    let unit = target.iter().sum::<f64>() / target.len() as f64;
    let logs: Vec<f64> = target.iter().map(|y| (y / unit).ln()).collect();
    let kept = independent(design, design.rows() - 1);
    // The intercept first, then the kept columns; below the rows of the data, one row for the penalty on each coefficient.
    let rows = design.rows();
    let mut columns = vec![vec![1.0; rows]];
    columns.extend(kept.iter().map(|&column| design.column(column).to_vec()));
    for (index, column) in columns.iter_mut().enumerate() {
        column.extend((1..=kept.len()).map(|row| if row == index { penalty.sqrt() } else { 0.0 }));
    }
    let columns = Design::from_columns(&columns)?;
    let linear = |weights: &[f64]| -> Vec<f64> {
        let mut sums = vec![0.0; rows];
        for (column, weight) in columns.iter_columns().zip(weights) {
            sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += weight * x);
        }
        sums
    };
    let objective = |weights: &[f64]| {
        let half_deviance: f64 =
            linear(weights).iter().zip(&logs).map(|(eta, log)| eta - log + (log - eta).exp()).sum();
        half_deviance + 0.5 * penalty * weights[1..].iter().map(|w| w * w).sum::<f64>()
    };
    // Fisher's scoring: with this link, every step is a least-squares problem of equal weights.
    let step = |eta: &[f64]| {
        let working = eta.iter().zip(&logs).map(|(eta, log)| eta + (log - eta).exp() - 1.0);
        let working: Vec<f64> = working.chain(std::iter::repeat_n(0.0, kept.len())).collect();
        least_squares(&columns, &working).map(|fit| fit.coefficients)
    };
    let mut weights = step(&logs)?;
    let mut reached = objective(&weights);
    for _ in 0..MOST_ITERATIONS {
        let next = step(&linear(&weights))?;
        let halved = (0..MOST_HALVINGS).find_map(|halvings| {
            let share = 0.5_f64.powi(halvings);
            let candidate: Vec<f64> = weights.iter().zip(&next).map(|(w, next)| w + share * (next - w)).collect();
            let value = objective(&candidate);
            (value < reached).then_some((candidate, value))
        });
        let Some((candidate, value)) = halved else { break };
        let gain = reached - value;
        (weights, reached) = (candidate, value);
        if gain <= TOLERANCE * rows as f64 {
            break;
        }
    }
    let mut coefficients = vec![0.0; design.columns()];
    kept.iter().zip(&weights[1..]).for_each(|(&column, weight)| coefficients[column] = *weight);
    Ok(LinearFit { coefficients, intercept: weights[0] + unit.ln(), dependent: others(design.columns(), &kept) })
}

fn check(design: &Design, target: &[f64]) -> Result<(), LinearError> {
    if target.is_empty() || target.len() != design.rows() {
        return Err(LinearError::Length { found: target.len(), rows: design.rows() });
    }
    let row = design.first_not_finite().map(|(row, _)| row);
    match row.or_else(|| target.iter().position(|y| !y.is_finite())) {
        Some(row) => Err(LinearError::NotFinite { row }),
        None => Ok(()),
    }
}

/// The first columns, `most` at most, of which none is a combination of those before it: by modified Gram–Schmidt.
fn independent(design: &Design, most: usize) -> Vec<usize> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut kept = Vec::new();
    for (index, column) in design.iter_columns().enumerate() {
        if kept.len() == most {
            break;
        }
        let mut rest = column.to_vec();
        for direction in &basis {
            let share = dot::<LANES>(direction, &rest);
            rest.iter_mut().zip(direction).for_each(|(value, d)| *value -= share * d);
        }
        let (length, whole) = (dot::<LANES>(&rest, &rest), dot::<LANES>(column, column));
        if length > DEPENDENT * whole {
            let length = length.sqrt();
            rest.iter_mut().for_each(|value| *value /= length);
            basis.push(rest);
            kept.push(index);
        }
    }
    kept
}

fn others(columns: usize, kept: &[usize]) -> Vec<usize> {
    (0..columns).filter(|column| !kept.contains(column)).collect()
}

fn dataset(design: &Design, columns: &[usize], target: &[f64]) -> Dataset<f64, f64, ndarray::Ix1> {
    let records = Array2::from_shape_fn((design.rows(), columns.len()), |(i, j)| design.column(columns[j])[i]);
    Dataset::new(records, Array1::from(target.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dependent_columns_are_left_out_and_predictions_stay() {
        let a: Vec<f64> = (0..12).map(|i| f64::from(i * i % 7)).collect();
        let b: Vec<f64> = (0..12).map(|i| f64::from(i % 5)).collect();
        let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + 2.0 * b).collect();
        let y: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 3.0 * a - b).collect();
        let columns = [a.clone(), sum, vec![0.0; 12], b.clone(), a.clone()];
        let design = Design::from_columns(&columns).expect("equal columns");
        let fit = least_squares(&design, &y).expect("fits");
        assert_eq!(fit.dependent, [2, 3, 4]);
        for (row, y) in y.iter().enumerate() {
            let predicted: f64 = columns.iter().zip(&fit.coefficients).map(|(column, w)| column[row] * w).sum();
            assert!((predicted - y).abs() < 1e-9);
        }
        let fewer_rows_than_columns = Design::from_columns(&[[1.0, 1.0], [0.0, 1.0], [5.0, 2.0]]).expect("columns");
        assert_eq!(least_squares(&fewer_rows_than_columns, &[1.0, 2.0]).expect("fits").dependent, [2]);
    }

    #[test]
    fn a_gamma_regression_finds_a_power_law_whatever_the_unit() {
        let x: Vec<f64> = (0..40).map(|i| f64::from(i - 20) / 10.0).collect();
        let design = Design::from_columns(&[&x]).expect("one column");
        for unit in [1e-6, 1.0, 1e6] {
            let y: Vec<f64> = x.iter().map(|x| unit * (0.5 + 1.25 * x).exp()).collect();
            let fit = gamma(&design, &y, 0.0).expect("fits");
            assert!((fit.coefficients[0] - 1.25).abs() < 1e-4, "{fit:?}");
            assert!((fit.intercept - unit.ln() - 0.5).abs() < 1e-4, "{fit:?}");
        }
    }

    #[test]
    fn a_constant_target_has_an_intercept_alone() {
        let x: Vec<f64> = (0..24).map(|i| f64::from(i) / 12.0 - 1.0).collect();
        let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
        for penalty in [0.0, 0.1] {
            let fit =
                gamma(&Design::from_columns(&[&x, &squares]).expect("columns"), &[3.0; 24], penalty).expect("fits");
            assert!((fit.intercept - 3.0_f64.ln()).abs() < 1e-9, "{fit:?}");
            assert!(fit.coefficients.iter().all(|w| w.abs() < 1e-9), "{fit:?}");
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let design = Design::from_columns(&[[1.0, 2.0]]).expect("one column");
        assert!(matches!(gamma(&design, &[1.0, 0.0], 1.0), Err(LinearError::NotPositive { row: 1, .. })));
        assert!(matches!(least_squares(&design, &[1.0]), Err(LinearError::Length { .. })));
        assert!(matches!(least_squares(&design, &[1.0, f64::NAN]), Err(LinearError::NotFinite { row: 1 })));
        let constant = Design::from_columns(&[[0.0, 0.0, 0.0]]).expect("one column");
        let fit = gamma(&constant, &[1.0, 2.0, 3.0], 1.0).expect("only an intercept");
        assert!((fit.intercept - 2.0_f64.ln()).abs() < 1e-6 && fit.coefficients == [0.0]);
    }

    proptest! {
        /// The residual of least squares is orthogonal to every column, also to those left out.
        #[test]
        fn residuals_are_orthogonal_to_the_columns(
            values in prop::collection::vec(-5.0_f64..5.0, 9 * 3),
            y in prop::collection::vec(-5.0_f64..5.0, 9),
        ) {
            let mut columns: Vec<Vec<f64>> = values.chunks(9).map(<[f64]>::to_vec).collect();
            columns.push(columns[0].iter().zip(&columns[2]).map(|(a, b)| a - b).collect());
            let fit = least_squares(&Design::from_columns(&columns).expect("equal columns"), &y).expect("fits");
            let residual: Vec<f64> = (0..9)
                .map(|i| y[i] - columns.iter().zip(&fit.coefficients).map(|(c, w)| c[i] * w).sum::<f64>())
                .collect();
            for column in &columns {
                prop_assert!(column.iter().zip(&residual).map(|(a, r)| a * r).sum::<f64>().abs() < 1e-6);
            }
        }
    }
}
