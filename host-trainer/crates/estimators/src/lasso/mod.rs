//! The Lasso along a path of penalties, with the penalty chosen by cross-validation.
//!
//! For one penalty α the model minimises, over coefficients `w` and intercept `b`,
//!
//! ```text
//! 1/(2n) · Σᵢ sᵢ (yᵢ - b - xᵢ·w)²  +  α · Σⱼ |wⱼ|        (wⱼ ≥ 0 where `positive`)
//! ```
//!
//! with row weights `s` scaled to sum to `n` (all 1 without weights). The numbers equal those of scikit-learn 1.9.1's
//! `LassoCV(selection="cyclic", precompute="auto")`, which at its default tolerance stops well before the optimum: so what
//! is kept is not only the objective but the way to it. Cyclic coordinate descent in column order, warm-started down the
//! path, with gap-safe screening (Ndiaye et al., 2017) and the stop rule "largest step ≤ tol · largest coefficient, then duality
//! gap ≤ tol · y·y"; the refit at the chosen penalty starts from zero.
//!
//! What differs is where the work goes. scikit-learn sweeps over the rows where a fold has no more rows than columns and in
//! its refit, and over the Gram matrix elsewhere; the iterates are the same up to rounding, so here all is done on Gram
//! matrices (`moments`), computed once a fold and merged for the other folds' training sets.
//! `working_set` says how most of a sweep is saved without changing its result, `distinct` what copies of columns save.
//!
//! Where the penalty is not determined: once no fold moves any more, penalties share one error exactly, and the
//! larger one is taken. scikit-learn evaluates the same coefficients in blocks of columns whose kernels round differently, so
//! its choice among such ties depends on the processor's BLAS kernel.

mod cv;
mod descent;
mod distinct;
mod error;
mod kernels;
mod moments;
mod params;
#[cfg(test)]
mod tests;
mod working_set;

pub use cv::{LassoCv, LassoFit, NotConverged};
pub use error::LassoError;
pub use params::{LassoCvParams, LassoCvValidParams};
