//! Estimators on plain numbers: the Lasso, perceptrons, boosted trees, non-negative least squares, and the metrics that
//! judge them.
//!
//! Nothing here knows of layers, boards or files. Each estimator takes a matrix of numbers, and what it fits can be written
//! into an ONNX graph. The order of a Lasso fit is [`design`] (the columns) → [`terms`] (monomials of the columns) →
//! [`scaler`] → [`lasso`]; a physical fit goes from [`formula`] (terms of a layer's work) through [`nnls`] to coefficients, and
//! [`boost`] learns what they leave over.

pub mod boost;
pub mod design;
mod error;
mod fold_hash;
mod folds;
pub mod formula;
pub mod lasso;
mod linalg;
pub mod linear;
pub mod metric_columns;
pub mod metrics;
pub mod mlp;
pub mod nnls;
pub mod random;
pub mod scaler;
pub mod terms;

pub use error::FitError;
pub use fold_hash::{fold_hash, fold_hashes};
pub use folds::{FoldError, Folds};
