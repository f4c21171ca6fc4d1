//! Predicts an engine: power, run time and energy of every layer, totals, and how far to trust them.

mod document;
mod layers;
mod models;
mod open;
mod shapes;

pub use document::{CSV_HEADER, Document, SCHEMA_VERSION, csv_record};
pub use layers::{Answers, Ask, Bounds, LayerPrediction, Prediction, Source, Totals};
pub use models::Models;
pub use open::{engine_files, open_models};
pub use shapes::{RowPrediction, ShapePrediction};
