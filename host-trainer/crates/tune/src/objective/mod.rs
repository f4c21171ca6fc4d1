//! What studies minimise.

mod layers;
mod settings;
mod tabular;

pub use layers::{LayerObjective, LayerSettings, Metric};
pub use settings::{planned, with_parameters};
pub use tabular::TableObjective;
