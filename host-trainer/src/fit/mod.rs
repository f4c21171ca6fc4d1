//! Fitting: from a table of numbers to a linear predictor. Functions of values; nothing here reads or writes a file.
//!
//! The order of a fit is `Design` (the columns) → [`terms`] (monomials of the columns) → [`scaler`] → [`lasso`].

pub mod design;
pub mod kinds;
pub mod lasso;
pub mod plan;
mod roofline;
pub mod scaler;
pub mod terms;
pub mod train;
