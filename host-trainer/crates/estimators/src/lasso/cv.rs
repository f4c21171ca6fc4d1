//! The path over all folds, the choice of a penalty, and the refit.

use rayon::prelude::*;

use super::descent::{Descent, Outcome, Rules};
use super::distinct::Distinct;
use super::kernels::{add_scaled, dot};
use super::moments::{Data, Moments, merge};
use super::{LassoCvValidParams, LassoError};
use crate::design::Design;
use crate::folds::Folds;

/// Most entries in the Gram matrices that the folds keep at the same time (512 MiB). With more, each fold's training rows
/// are multiplied out anew.
const MERGED_ENTRIES: usize = 64 << 20;

/// A fit whose duality gap was still above the tolerance after the last sweep allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct NotConverged {
    /// The fold, or `None` for the refit on all rows.
    pub fold: Option<usize>,
    /// The penalty.
    pub alpha: f64,
    /// The duality gap reached, in the units of `½‖y - Xw‖²`.
    pub dual_gap: f64,
    /// What it should have fallen to.
    pub tolerance: f64,
}

/// A Lasso at one penalty.
#[derive(Debug, Clone, PartialEq)]
pub struct LassoFit {
    /// One coefficient a column of the design.
    pub coefficients: Vec<f64>,
    /// The intercept; 0 where none was fitted.
    pub intercept: f64,
    /// The penalty.
    pub alpha: f64,
    /// Duality gap of the objective in the module's page (divided by the number of rows).
    pub dual_gap: f64,
    /// Sweeps over the coefficients.
    pub n_iter: usize,
    /// Whether the gap fell to the tolerance within the sweeps allowed.
    pub converged: bool,
}

impl LassoFit {
    /// Predictions for every row of a design.
    ///
    /// # Panics
    /// Where the design has not one column a coefficient.
    #[must_use]
    pub fn predict(&self, design: &Design) -> Vec<f64> {
        assert_eq!(design.columns(), self.coefficients.len(), "columns of the design and coefficients");
        let mut out = vec![self.intercept; design.rows()];
        for (column, &coefficient) in design.iter_columns().zip(&self.coefficients) {
            if coefficient != 0.0 {
                add_scaled(&mut out, coefficient, column);
            }
        }
        out
    }
}

/// A Lasso whose penalty cross-validation chose.
#[derive(Debug, Clone, PartialEq)]
pub struct LassoCv {
    /// The fit on all rows at the chosen penalty.
    pub fit: LassoFit,
    /// Index of the chosen penalty in `alphas`.
    pub alpha_index: usize,
    /// The penalties tried, from the largest.
    pub alphas: Vec<f64>,
    /// Mean squared error on held-out rows (weighted where rows are): one row a penalty, one entry a fold.
    pub mse_path: Vec<Vec<f64>>,
    /// Fits that did not converge: fold by fold along the path, the refit last.
    pub not_converged: Vec<NotConverged>,
}

impl LassoCvValidParams {
    /// Fits the path on every fold's training rows, takes the penalty with the smallest mean of the folds' errors (the larger
    /// penalty of two equal ones), and fits all rows at it. The folds run in parallel; the result does not
    /// depend on the number of threads.
    ///
    /// # Errors
    /// Empty data, lengths that disagree, values that are not finite, folds without weight, sums that overflow.
    pub fn fit(
        &self,
        design: &Design,
        target: &[f64],
        folds: &Folds,
        weights: Option<&[f64]>,
    ) -> Result<LassoCv, LassoError> {
        self.fit_within(MERGED_ENTRIES, design, target, folds, weights)
    }

    /// [`LassoCvValidParams::fit`], keeping the folds' Gram matrices if they have at most `entries` entries together.
    pub(super) fn fit_within(
        &self,
        entries: usize,
        design: &Design,
        target: &[f64],
        folds: &Folds,
        weights: Option<&[f64]>,
    ) -> Result<LassoCv, LassoError> {
        self.validate(design, target, weights)?;
        if folds.rows() != design.rows() {
            return Err(LassoError::Length { what: "the fold assignment", found: folds.rows(), rows: design.rows() });
        }
        let distinct = Distinct::new(design, self.0.fit_intercept);
        let data = Data { design: &distinct.design, target, weights, centred: self.0.fit_intercept };
        let held_out: Vec<Vec<usize>> = (0..folds.count()).map(|fold| folds.held_out(fold)).collect();
        for (fold, rows) in held_out.iter().enumerate() {
            let weight = |rows: &mut dyn Iterator<Item = usize>| rows.map(|row| data.weight(row)).sum::<f64>();
            let rest = weight(&mut folds.training(fold).into_iter());
            if weight(&mut rows.iter().copied()) <= 0.0 || rest <= 0.0 {
                return Err(LassoError::NoWeight { what: format!("fold {fold} or the rest") });
            }
        }
        let merged = data.design.columns().pow(2).saturating_mul(folds.count()) <= entries;
        let parts: Vec<Moments> =
            if merged { held_out.par_iter().map(|rows| data.moments(rows)).collect() } else { Vec::new() };
        let whole = if merged {
            merge(&parts.iter().collect::<Vec<_>>(), data.centred)
        } else {
            data.moments(&(0..design.rows()).collect::<Vec<_>>())
        };
        if !whole.is_finite() {
            return Err(LassoError::Overflow);
        }
        let alphas = self.alphas(&whole);
        let paths: Vec<FoldPath> = (0..folds.count())
            .into_par_iter()
            .with_max_len(1)
            .map(|fold| {
                let training = if merged {
                    let others: Vec<&Moments> =
                        parts.iter().enumerate().filter(|(part, _)| *part != fold).map(|(_, part)| part).collect();
                    merge(&others, data.centred)
                } else {
                    data.moments(&folds.training(fold))
                };
                self.path(&data, &distinct.classes, training.normalised(), (fold, &held_out[fold]), &alphas)
            })
            .collect();
        let mse_path: Vec<Vec<f64>> =
            (0..alphas.len()).map(|alpha| paths.iter().map(|path| path.errors[alpha]).collect()).collect();
        let means: Vec<f64> = mse_path.iter().map(|folds| folds.iter().sum::<f64>() / folds.len() as f64).collect();
        let alpha_index = (1..means.len()).fold(0, |best, index| if means[index] < means[best] { index } else { best });
        let mut not_converged: Vec<NotConverged> = paths.into_iter().flat_map(|path| path.not_converged).collect();
        let (fit, outcome) = self.refit(whole, alphas[alpha_index], &distinct, design.columns());
        not_converged.extend(report(None, fit.alpha, outcome));
        Ok(LassoCv { fit, alpha_index, alphas, mse_path, not_converged })
    }

    /// Fits all rows at one penalty, starting from zero.
    ///
    /// # Errors
    /// As [`LassoCvValidParams::fit`], and a penalty that is not a positive number.
    pub fn fit_at(
        &self,
        design: &Design,
        target: &[f64],
        alpha: f64,
        weights: Option<&[f64]>,
    ) -> Result<LassoFit, LassoError> {
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(LassoError::Parameter { name: "alpha", rule: "above 0", found: alpha.to_string() });
        }
        self.validate(design, target, weights)?;
        let distinct = Distinct::new(design, self.0.fit_intercept);
        let data = Data { design: &distinct.design, target, weights, centred: self.0.fit_intercept };
        let whole = data.moments(&(0..design.rows()).collect::<Vec<_>>());
        if !whole.is_finite() {
            return Err(LassoError::Overflow);
        }
        Ok(self.refit(whole, alpha, &distinct, design.columns()).0)
    }

    fn validate(&self, design: &Design, target: &[f64], weights: Option<&[f64]>) -> Result<(), LassoError> {
        let (rows, columns) = (design.rows(), design.columns());
        if rows == 0 || columns == 0 {
            return Err(LassoError::Empty { rows, columns });
        }
        let lengths = [("the target", Some(target)), ("the weights", weights)];
        for (what, values) in lengths {
            if let Some(values) = values.filter(|values| values.len() != rows) {
                return Err(LassoError::Length { what, found: values.len(), rows });
            }
        }
        if let Some((row, column)) = design.first_not_finite() {
            return Err(LassoError::DesignNotFinite { row, column });
        }
        if let Some(row) = target.iter().position(|y| !y.is_finite()) {
            return Err(LassoError::TargetNotFinite { row });
        }
        if let Some(weights) = weights {
            if let Some(row) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
                return Err(LassoError::Weight { row });
            }
            if weights.iter().all(|&weight| weight == 0.0) {
                return Err(LassoError::NoWeight { what: "the data".into() });
            }
        }
        Ok(())
    }

    fn rules(&self) -> Rules {
        Rules { max_iter: self.0.max_iter, tol: self.0.tol, positive: self.0.positive }
    }

    /// Penalties from the smallest that gives all zeros down to `eps` of it, evenly in the logarithm.
    fn alphas(&self, whole: &Moments) -> Vec<f64> {
        let largest = if self.0.positive {
            whole.correlation.iter().copied().fold(0.0, f64::max)
        } else {
            whole.correlation.iter().fold(0.0, |max, c| f64::max(max, c.abs()))
        } / whole.weight;
        // numpy's `finfo(float64).resolution`: nothing correlates, and any penalty does.
        const RESOLUTION: f64 = 1e-15;
        if largest <= RESOLUTION {
            return vec![RESOLUTION; self.0.n_alphas];
        }
        let steps = self.0.n_alphas.saturating_sub(1).max(1) as f64;
        (0..self.0.n_alphas).map(|step| largest * self.0.eps.powf(step as f64 / steps)).collect()
    }

    fn path(
        &self,
        data: &Data<'_>,
        classes: &[usize],
        training: Moments,
        (fold, held_out): (usize, &[usize]),
        alphas: &[f64],
    ) -> FoldPath {
        let scorer = Scorer::new(data, &training, held_out);
        let mut descent = Descent::new(&training, classes, self.rules());
        let mut errors = Vec::with_capacity(alphas.len());
        let mut not_converged = Vec::new();
        for &alpha in alphas {
            let outcome = descent.descend(alpha * training.rows as f64);
            not_converged.extend(report(Some(fold), alpha, outcome));
            errors.push(match errors.last() {
                // Nothing moved, and equal coefficients must give equal errors to the last bit: ties decide the penalty.
                Some(&error) if outcome.sweeps == 0 => error,
                _ => scorer.error(descent.class_sums()),
            });
        }
        FoldPath { errors, not_converged }
    }

    fn refit(&self, whole: Moments, alpha: f64, distinct: &Distinct, columns: usize) -> (LassoFit, Outcome) {
        let whole = whole.normalised();
        let mut descent = Descent::new(&whole, &distinct.classes, self.rules());
        let outcome = descent.descend(alpha * whole.rows as f64);
        let intercept =
            if self.0.fit_intercept { whole.target_mean - dot(&whole.mean, descent.class_sums()) } else { 0.0 };
        let mut coefficients = vec![0.0; columns];
        for (&column, &coefficient) in distinct.columns.iter().zip(descent.coefficients()) {
            coefficients[column] = coefficient;
        }
        let fit = LassoFit {
            coefficients,
            intercept,
            alpha,
            dual_gap: outcome.gap / whole.rows as f64,
            n_iter: outcome.sweeps,
            converged: outcome.converged,
        };
        (fit, outcome)
    }
}

fn report(fold: Option<usize>, alpha: f64, outcome: Outcome) -> Option<NotConverged> {
    (!outcome.converged).then_some(NotConverged { fold, alpha, dual_gap: outcome.gap, tolerance: outcome.tolerance })
}

struct FoldPath {
    errors: Vec<f64>,
    not_converged: Vec<NotConverged>,
}

/// Held-out rows, about the training rows' means.
struct Scorer {
    /// Column-major, centred.
    panel: Vec<f64>,
    target: Vec<f64>,
    /// Weights that sum to 1.
    weights: Vec<f64>,
}

impl Scorer {
    fn new(data: &Data<'_>, training: &Moments, rows: &[usize]) -> Self {
        let mut panel = Vec::with_capacity(rows.len() * data.design.columns());
        for (column, mean) in data.design.iter_columns().zip(&training.mean) {
            panel.extend(rows.iter().map(|&row| column[row] - mean));
        }
        let total: f64 = rows.iter().map(|&row| data.weight(row)).sum();
        Self {
            panel,
            target: rows.iter().map(|&row| data.target[row] - training.target_mean).collect(),
            weights: rows.iter().map(|&row| data.weight(row) / total).collect(),
        }
    }

    /// Weighted mean squared error.
    fn error(&self, coefficients: &[f64]) -> f64 {
        let mut residual = self.target.clone();
        for (column, &coefficient) in self.panel.chunks_exact(self.target.len()).zip(coefficients) {
            if coefficient != 0.0 {
                add_scaled(&mut residual, -coefficient, column);
            }
        }
        residual.iter().zip(&self.weights).map(|(r, weight)| weight * (r * r)).sum()
    }
}
