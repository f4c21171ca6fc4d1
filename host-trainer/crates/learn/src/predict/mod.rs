//! Predicts layers and engines: power, run time and energy of every layer, totals, and how far to trust them.
//!
//! One path leads to every number: [`Models`] estimates a target of some layers, by a table's model or what stands in for
//! it; rows and engines are put together from such estimates.

mod cache;
mod document;
mod engine;
mod estimate;
mod footprint;
mod models;
mod open;
mod row_csv;
mod total;
mod totals;

pub use document::{CSV_HEADER, Document, SCHEMA_VERSION, csv_record};
pub use engine::{BatchPrediction, EngineInput, LayerPrediction, Prediction, RuntimeCorrection};
pub use estimate::{Bounds, Estimate, RowPrediction, Source};
pub use footprint::{CarbonIntensity, Conversions, Footprint, WattHours};
pub use models::Models;
pub use open::{engine_files, open_models};
pub use row_csv::{ROW_CSV_COLUMNS, row_csv_fields};
pub use total::{Part, Total};
pub use totals::Totals;
