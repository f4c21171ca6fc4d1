//! Cyclic coordinate descent at one penalty after the other.

use super::kernels::{add_scaled, dot};
use super::moments::Moments;

/// When a fit at one penalty ends, and what it may return.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) positive: bool,
}

/// How the fit at one penalty ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Sweeps done; 0 where the coefficients it started from were good enough.
    pub(super) sweeps: usize,
    /// Duality gap of `½‖y - Xw‖² + λ‖w‖₁`.
    pub(super) gap: f64,
    /// What the gap had to fall below: `tol · y·y`.
    pub(super) tolerance: f64,
    /// Whether it did.
    pub(super) converged: bool,
}

/// Coordinate descent on fixed moments; coefficients carry over from one penalty to the next.
pub(super) struct Descent<'a> {
    moments: &'a Moments,
    rules: Rules,
    columns: usize,
    diagonal: Vec<f64>,
    coefficients: Vec<f64>,
    /// Xᵀ(y - Xw), kept up to date.
    gradient: Vec<f64>,
    active: Vec<usize>,
}

impl<'a> Descent<'a> {
    /// Starts from all zeros.
    pub(super) fn new(moments: &'a Moments, rules: Rules) -> Self {
        let columns = moments.mean.len();
        Self {
            moments,
            rules,
            columns,
            diagonal: (0..columns).map(|j| moments.gram[j * columns + j]).collect(),
            coefficients: vec![0.0; columns],
            gradient: moments.correlation.clone(),
            active: Vec::with_capacity(columns),
        }
    }

    /// The coefficients as they stand.
    pub(super) fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Descends at the penalty `l1`, which stands before `‖w‖₁` beside `½‖y - Xw‖²`.
    pub(super) fn descend(&mut self, l1: f64) -> Outcome {
        let tolerance = self.rules.tol * self.moments.target_squares;
        let (mut gap, mut dual_norm) = self.gap(l1);
        // Rounding can make the gap of an optimum negative; scikit-learn's Gram variant then sweeps once more.
        let mut outcome = Outcome { sweeps: 0, gap, tolerance, converged: true };
        if (0.0..=tolerance).contains(&gap) {
            return outcome;
        }
        self.active = (0..self.columns).collect();
        self.screen(l1, gap, dual_norm);
        for sweep in 1..=self.rules.max_iter {
            let (largest, step) = self.sweep(l1);
            if largest == 0.0 || step / largest <= self.rules.tol || sweep == self.rules.max_iter {
                (gap, dual_norm) = self.gap(l1);
                outcome = Outcome { sweeps: sweep, gap, tolerance, converged: gap <= tolerance };
                if outcome.converged {
                    break;
                }
                self.screen(l1, gap, dual_norm);
            }
        }
        outcome
    }

    fn change(&mut self, j: usize, to: f64) {
        let step = to - self.coefficients[j];
        self.coefficients[j] = to;
        let row = &self.moments.gram[j * self.columns..(j + 1) * self.columns];
        add_scaled(&mut self.gradient, -step, row);
    }

    /// One pass over the active coefficients: the largest coefficient and the largest step.
    fn sweep(&mut self, l1: f64) -> (f64, f64) {
        let (mut largest, mut step) = (0.0, 0.0);
        for index in 0..self.active.len() {
            let j = self.active[index];
            let before = self.coefficients[j];
            let pull = self.gradient[j] + before * self.diagonal[j];
            let after = if self.rules.positive && pull < 0.0 {
                0.0
            } else {
                pull.signum() * (pull.abs() - l1).max(0.0) / self.diagonal[j]
            };
            if after != before {
                self.change(j, after);
            }
            step = f64::max(step, (after - before).abs());
            largest = f64::max(largest, after.abs());
        }
        (largest, step)
    }

    /// The duality gap and the dual norm of the gradient.
    fn gap(&self, l1: f64) -> (f64, f64) {
        let w = &self.coefficients;
        let target_squares = self.moments.target_squares;
        let fitted = dot(w, &self.moments.correlation);
        let residual_squares = target_squares - fitted - dot(w, &self.gradient);
        let dual_norm = if self.rules.positive {
            self.gradient.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        } else {
            self.gradient.iter().fold(0.0, |max, g| f64::max(max, g.abs()))
        };
        let norm: f64 = w.iter().map(|w| w.abs()).sum();
        let primal = 0.5 * residual_squares + l1 * norm;
        let scale = if dual_norm > l1 { l1 / dual_norm } else { 1.0 };
        let dual = -0.5 * scale * scale * residual_squares + scale * (target_squares - fitted);
        (primal - dual, dual_norm)
    }

    /// Drops from the active set what the gap proves to be zero at the optimum.
    fn screen(&mut self, l1: f64, gap: f64, dual_norm: f64) {
        let radius = (2.0 * gap.abs()).sqrt() / l1;
        let bound = l1.max(dual_norm);
        // The gradient at the time of the check decides, though dropping a coefficient changes it.
        let mut dropped = Vec::new();
        let (gradient, diagonal) = (&self.gradient, &self.diagonal);
        self.active.retain(|&j| {
            let keep = diagonal[j] != 0.0 && (1.0 - (gradient[j] / bound).abs()) / diagonal[j].sqrt() <= radius;
            if !keep {
                dropped.push(j);
            }
            keep
        });
        for j in dropped {
            if self.coefficients[j] != 0.0 {
                self.change(j, 0.0);
            }
        }
    }
}
