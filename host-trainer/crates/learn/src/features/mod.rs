//! What a predictor knows of a layer: a row of numbers with names.
//!
//! [`columns`] says which numbers stand in a training table and which follow from them; [`mod@extract`] reads them off a
//! layer of an engine.

pub mod columns;
pub mod extract;

pub use columns::Column;
pub use extract::{Extraction, NoRow, extract};
