//! Reports as pages that stand alone: models with their accuracy, and aligned runs.
//!
//! A report takes values and gives text. Reading models, data, engines and studies is the caller's task.
//!
//! - [`Report`]: the models of a device, the data they are evaluated on, engines and studies.
//! - [`runs`]: the quality of an aligned run.
//!
//! ```
//! use learn::model::Device;
//! use learn::training::TrainingData;
//! use report::Report;
//!
//! let models = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../trained_models"));
//! let device = Device::read(models, "jetson-orin-nano")?;
//! let data = TrainingData::default();
//! let report = Report {
//!     device: &device, cards: Vec::new(), data: &data, pairs: Vec::new(), lines: Vec::new(), notes: Vec::new(),
//!     engines: Vec::new(), curve: None, importance: None, study: None,
//! };
//! assert!(report.render().contains("Models for jetson-orin-nano"));
//! # Ok::<(), shared::failure::Failure>(())
//! ```

mod accuracy;
mod energy;
mod engines;
mod input;
mod intervals;
mod models;
mod names;
mod render;
pub mod runs;
mod table;
mod training;

pub use input::{EngineView, Report, StudyView, TrialView, work_of};
