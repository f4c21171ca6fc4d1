//! What studies minimise.

mod layers;
mod settings;

pub use layers::{LayerObjective, LayerSettings, Metric};
pub use settings::{planned, with_parameters};
