//! Flat CSV files: power by time, and layers by run. Columns are found by what their headers mean: one table of spellings
//! serves all tools.

mod layers;
mod power;
mod value;

pub use layers::layers;
pub use power::power;
