//! Fitting: from a table of numbers to a predictor. Functions of values; nothing here reads or writes a file.
//!
//! The order of a Lasso fit is `Design` (the columns) → [`terms`] (monomials of the columns) → [`scaler`] → [`lasso`]; a
//! physical fit goes from `formula` (terms of a layer's work) through `nnls` to coefficients, and `boost` learns what they
//! leave over. [`kinds`] puts each together as a recipe, and [`train`] judges whichever recipe it is given.

mod boost;
pub mod design;
mod formula;
pub mod kinds;
pub mod lasso;
pub mod mlp;
mod nnls;
pub mod plan;
mod roofline;
pub mod scaler;
pub mod terms;
pub mod train;
