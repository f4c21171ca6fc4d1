//! What a predictor knows of a layer: a shape with named fields, and numbers with names.
//!
//! [`shape`] holds the types; [`columns`] says which of their fields stand in a training table and which numbers follow
//! from them; [`mod@extract`] reads a shape off a layer of an engine.

mod column_lists;
pub mod columns;
pub mod extract;
pub mod shape;

pub use columns::Column;
pub use extract::{Extraction, NoRow, extract};
pub use shape::{
    ASSUMED_PRECISION, AttentionShape, ConvShape, DenseShape, ElementsShape, LayerShape, LayerSpec, PoolShape,
    ProductShape, RowsShape,
};
