//! Predicts an engine: power, run time and energy of every layer, totals, and how far to trust them.

mod layers;
mod models;
mod shapes;

pub use layers::{Bounds, LayerPrediction, Prediction, Source, Totals};
pub use models::Models;
pub use shapes::ShapePrediction;
