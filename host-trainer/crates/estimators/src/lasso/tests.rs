//! Laws of the whole: optimality, penalties, signs, copies, refusals.

use proptest::prelude::*;

use super::{LassoCvParams, LassoError, LassoFit};
use crate::Folds;
use crate::design::Design;

/// Rows of five columns and a target.
fn tables() -> impl Strategy<Value = (Design, Vec<f64>)> {
    proptest::collection::vec((proptest::array::uniform5(-3.0..3.0f64), -2.0..2.0f64), 12..40).prop_map(|rows| {
        let columns = Design::from_rows(&rows.iter().map(|row| row.0).collect::<Vec<_>>()).expect("equal rows");
        let target = rows.iter().map(|(x, noise)| 2.0 * x[0] - x[1] + 0.3 * x[2] * x[3] + noise).collect();
        (columns, target)
    })
}

fn params(positive: bool) -> LassoCvParams {
    LassoCvParams { n_alphas: 30, tol: 1e-12, positive, ..LassoCvParams::default() }
}

/// Weighted gradient of the squared error at a fit: `Σ s·x·(y - ŷ) / n` of every column, weights scaled to sum to n.
fn gradient(design: &Design, target: &[f64], weights: Option<&[f64]>, fit: &LassoFit) -> Vec<f64> {
    let total: f64 = weights.map_or(design.rows() as f64, |weights| weights.iter().sum());
    let residual: Vec<f64> = fit.predict(design).iter().zip(target).map(|(p, y)| y - p).collect();
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let column = |x: &[f64]| x.iter().zip(&residual).enumerate().map(|(row, (x, r))| weight(row) * x * r).sum::<f64>();
    design.iter_columns().map(|x| column(x) / total).collect()
}

proptest! {
    #[test]
    fn a_converged_fit_is_optimal((design, target) in tables(), positive: bool, weighted: bool, share in 0.01..0.9f64) {
        let weights: Vec<f64> = (0..design.rows()).map(|row| 0.5 + (row % 4) as f64).collect();
        let weights = weighted.then_some(weights.as_slice());
        let params = params(positive).check().expect("in range");
        let largest = params.fit(&design, &target, &Folds::contiguous(design.rows(), 2).expect("two"), weights)
            .expect("finite").alphas[0];
        let fit = params.fit_at(&design, &target, share * largest, weights).expect("finite");
        prop_assert!(fit.converged);
        for (g, &w) in gradient(&design, &target, weights, &fit).iter().zip(&fit.coefficients) {
            // Where a coefficient stands, its gradient balances the penalty; elsewhere the penalty holds it down.
            if w == 0.0 {
                prop_assert!(if positive { *g } else { g.abs() } <= fit.alpha * (1.0 + 1e-4), "{g} {fit:?}");
            } else {
                prop_assert!((g - fit.alpha * w.signum()).abs() <= 1e-4 * largest, "{g} {fit:?}");
            }
            prop_assert!(!positive || w >= 0.0);
        }
    }

    #[test]
    fn the_largest_penalty_is_the_smallest_that_gives_all_zeros((design, target) in tables(), positive: bool) {
        let params = params(positive).check().expect("in range");
        let folds = Folds::contiguous(design.rows(), 3).expect("three");
        let cv = params.fit(&design, &target, &folds, None).expect("finite");
        let at = |alpha| params.fit_at(&design, &target, alpha, None).expect("finite").coefficients;
        prop_assert!(at(cv.alphas[0] * (1.0 + 1e-9)).iter().all(|&w| w == 0.0));
        prop_assert!(at(cv.alphas[0] * 0.99).iter().any(|&w| w != 0.0));
        prop_assert!((cv.alphas[29] / cv.alphas[0] - 1e-3).abs() < 1e-15);
        prop_assert!(cv.alphas.windows(2).all(|pair| pair[1] < pair[0]));
    }

    #[test]
    fn copies_do_not_change_the_predictions((design, target) in tables(), positive: bool) {
        let copied = design.select_columns(&[0, 1, 0, 2, 3, 3, 4, 1]);
        let params = params(positive).check().expect("in range");
        let folds = Folds::contiguous(design.rows(), 4).expect("four");
        let (once, twice) = (
            params.fit(&design, &target, &folds, None).expect("finite"),
            params.fit(&copied, &target, &folds, None).expect("finite"),
        );
        for (a, b) in once.mse_path.iter().flatten().zip(twice.mse_path.iter().flatten()) {
            prop_assert!((a - b).abs() <= 1e-4 * a.abs());
        }
        let (a, b) = (once.fit.predict(&design), params.fit_at(&copied, &target, once.fit.alpha, None).expect("finite").predict(&copied));
        for (a, b) in a.iter().zip(b) {
            prop_assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
    }
}

/// A column that screening drops after its coefficient has become zero must not come back at a later penalty with what it was before.
#[test]
fn a_dropped_column_stays_at_zero() {
    let columns = [
        [-1.2, 0.0, 0.0, 1.8, -2.5, 0.8, -1.7, -2.8, 0.9, -0.7, -1.5, 0.8],
        [0.0, 0.0, 0.0, 3.0, -0.5, 2.0, -0.6, -2.5, 3.0, 0.0, 1.8, 0.0],
        [0.0, 0.0, 0.0, 0.0, 2.0, 0.4, -2.8, 0.0, 2.4, -0.4, -1.4, 1.6],
        [0.0, 0.0, 0.0, -1.8, 0.0, 0.7, -1.9, 1.7, 0.0, -2.7, 0.0, 2.2],
        [0.0, 0.0, 0.0, 0.6, 0.0, 0.0, 0.0, -1.9, 0.7, -2.0, 2.4, -1.3],
    ];
    let target = [-2.3, 0.0, 0.0, 1.0, -4.5, 1.7, -1.3, -3.2, -1.1, -2.4, -4.7, 1.0];
    let design = Design::from_columns(&columns).expect("equal columns");
    let copied = design.select_columns(&[0, 1, 0, 2, 3, 3, 4, 1]);
    let params = params(false).check().expect("in range");
    let folds = Folds::contiguous(12, 4).expect("four");
    let errors = |design| params.fit(design, &target, &folds, None).expect("finite").mse_path;
    for (a, b) in errors(&design).iter().flatten().zip(errors(&copied).iter().flatten()) {
        assert!((a - b).abs() <= 1e-8 * a, "{a} {b}");
    }
}

#[test]
fn folds_too_large_to_keep_are_multiplied_out_anew() {
    let rows: Vec<[f64; 3]> = (0..40).map(|i| [f64::from(i % 7), f64::from(i % 5), f64::from(i * i % 11)]).collect();
    let target: Vec<f64> = rows.iter().enumerate().map(|(i, x)| x[0] - 2.0 * x[2] + (i % 3) as f64).collect();
    let weights: Vec<f64> = (0..40).map(|i| 1.0 + f64::from(i % 2)).collect();
    let (design, folds) = (Design::from_rows(&rows).expect("equal rows"), Folds::contiguous(40, 4).expect("four"));
    let params = params(false).check().expect("in range");
    let fit = |entries| params.fit_within(entries, &design, &target, &folds, Some(&weights)).expect("finite");
    let (kept, anew) = (fit(usize::MAX), fit(0));
    assert_eq!(kept.alpha_index, anew.alpha_index);
    for (a, b) in kept.mse_path.iter().flatten().zip(anew.mse_path.iter().flatten()) {
        assert!((a - b).abs() <= 1e-9 * a, "{a} {b}");
    }
    for (a, b) in kept.fit.coefficients.iter().zip(&anew.fit.coefficients) {
        assert!((a - b).abs() <= 1e-9 * a.abs(), "{a} {b}");
    }
}

#[test]
fn a_constant_column_gets_no_weight_and_a_constant_target_no_coefficient() {
    let design =
        Design::from_columns(&[(0..12).map(f64::from).collect::<Vec<_>>(), vec![0.1; 12]]).expect("two columns");
    let folds = Folds::contiguous(12, 3).expect("three");
    let params = params(false).check().expect("in range");
    let target: Vec<f64> = (0..12).map(|row| 3.0 * f64::from(row) + 1.0).collect();
    let found = params.fit(&design, &target, &folds, None).expect("finite");
    assert_eq!(found.fit.coefficients[1], 0.0);
    assert!((found.fit.coefficients[0] - 3.0).abs() < 0.02 && found.not_converged.is_empty());
    let flat = params.fit(&design, &[7.5; 12], &folds, None).expect("finite");
    assert_eq!(flat.fit.coefficients, [0.0, 0.0]);
    assert_eq!(flat.fit.intercept, 7.5);
    assert_eq!(flat.alpha_index, 0);
    // Only constant columns: nothing to descend on, but a mean to predict.
    let constant = design.select_columns(&[1]);
    let found = params.fit(&constant, &target, &folds, None).expect("finite");
    assert_eq!(found.fit.coefficients, [0.0]);
    assert!((found.fit.intercept - 17.5).abs() < 1e-12);
}

#[test]
fn too_few_sweeps_are_reported() {
    let columns: Vec<Vec<f64>> =
        (1..=6).map(|power| (0..30).map(|row| (f64::from(row) / 30.0).powi(power)).collect()).collect();
    let design = Design::from_columns(&columns).expect("equal columns");
    let target: Vec<f64> = (0..30).map(|row| (f64::from(row) / 5.0).sin()).collect();
    let params = LassoCvParams { max_iter: 3, tol: 1e-9, ..params(false) }.check().expect("in range");
    let found = params.fit(&design, &target, &Folds::contiguous(30, 3).expect("three"), None).expect("finite");
    assert!(!found.fit.converged && found.fit.n_iter == 3);
    assert!(found.not_converged.iter().any(|n| n.fold == Some(2)));
    let last = found.not_converged.last().expect("the refit");
    assert_eq!((last.fold, last.alpha), (None, found.fit.alpha));
    assert!(last.dual_gap > last.tolerance);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let design = Design::from_columns(&[[1.0, 2.0, 3.0, 5.0], [1.0, 0.0, 1.0, 0.0]]).expect("two columns");
    let target = [1.0, 2.0, 3.0, 4.0];
    let folds = Folds::contiguous(4, 2).expect("two");
    let params = LassoCvParams::default().check().expect("in range");
    let fit = |design: &Design, target: &[f64], weights: Option<&[f64]>| {
        params.fit(design, target, &folds, weights).expect_err("must be refused")
    };
    let spoil = |row: usize, column: usize, value: f64| {
        let mut columns: Vec<Vec<f64>> = design.iter_columns().map(<[f64]>::to_vec).collect();
        columns[column][row] = value;
        Design::from_columns(&columns).expect("two columns")
    };
    assert_eq!(fit(&spoil(2, 1, f64::NAN), &target, None), LassoError::DesignNotFinite { row: 2, column: 1 });
    assert_eq!(fit(&spoil(3, 0, f64::INFINITY), &target, None), LassoError::DesignNotFinite { row: 3, column: 0 });
    assert_eq!(fit(&spoil(3, 0, 1e200), &target, None), LassoError::Overflow);
    assert_eq!(fit(&design, &[1.0, f64::NAN, 0.0, 0.0], None), LassoError::TargetNotFinite { row: 1 });
    assert_eq!(fit(&design, &target[..3], None), LassoError::Length { what: "the target", found: 3, rows: 4 });
    assert_eq!(fit(&design, &target, Some(&[1.0; 5])), LassoError::Length { what: "the weights", found: 5, rows: 4 });
    assert_eq!(fit(&design, &target, Some(&[1.0, -1.0, 1.0, 1.0])), LassoError::Weight { row: 1 });
    assert!(matches!(fit(&design, &target, Some(&[1.0, 1.0, 0.0, 0.0])), LassoError::NoWeight { .. }));
    assert!(matches!(fit(&design, &target, Some(&[0.0; 4])), LassoError::NoWeight { .. }));
    let nothing = Design::from_columns(&[[0.0; 0]]).expect("no rows");
    assert_eq!(fit(&nothing, &[], None), LassoError::Empty { rows: 0, columns: 1 });
    let no_columns = Design::from_column_major(4, 0, vec![]).expect("no columns");
    assert_eq!(fit(&no_columns, &target, None), LassoError::Empty { rows: 4, columns: 0 });
    let other = Folds::contiguous(5, 2).expect("two");
    assert!(matches!(params.fit(&design, &target, &other, None), Err(LassoError::Length { found: 5, rows: 4, .. })));
    assert!(matches!(params.fit_at(&design, &target, 0.0, None), Err(LassoError::Parameter { name: "alpha", .. })));
}
