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
mod folds;
mod kernels;
mod moments;
mod params;
#[cfg(test)]
mod tests;
mod working_set;

pub use cv::{LassoCv, LassoFit, NotConverged};
pub use folds::Folds;
pub use params::{LassoCvParams, LassoCvValidParams};

/// Why a Lasso cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LassoError {
    /// A parameter is outside its range.
    #[error("{name} must be {rule}, not {found}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
        /// What it is.
        found: String,
    },
    /// There are no rows or no columns.
    #[error("there is nothing to fit: {rows} rows of {columns} columns")]
    Empty {
        /// Rows of the design.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// Target, weights or folds do not have one entry a row.
    #[error("{what} has {found} entries for {rows} rows")]
    Length {
        /// Which of them.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Rows of the design.
        rows: usize,
    },
    /// The design holds NaN or an infinity.
    #[error("row {row}, column {column} of the design is not a finite number")]
    DesignNotFinite {
        /// Row of the first such value.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// The target holds NaN or an infinity.
    #[error("row {row} of the target is not a finite number")]
    TargetNotFinite {
        /// Its row.
        row: usize,
    },
    /// A weight is negative, NaN or infinite.
    #[error("the weight of row {row} is not a finite number of at least zero")]
    Weight {
        /// Its row.
        row: usize,
    },
    /// A set of rows that must be fitted or scored has no weight.
    #[error("{what} has no rows of positive weight")]
    NoWeight {
        /// The set, such as "fold 3".
        what: String,
    },
    /// Folds that cannot be made.
    #[error("{folds} folds cannot be made of {of} {what}")]
    Folds {
        /// Folds wanted.
        folds: usize,
        /// How many things there are to put in them.
        of: usize,
        /// What these are: rows or groups.
        what: &'static str,
    },
    /// The sums of products overflow.
    #[error("the values are too large: their sums of products overflow; scale the columns first")]
    Overflow,
}
