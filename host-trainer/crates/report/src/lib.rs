//! Reports as pages that stand alone: models with their accuracy, studies and batches, and aligned runs.
//!
//! A report takes values and gives text. Reading models, data, engines, studies and batches is the caller's task.
//!
//! - [`Report`]: the models of a device, the data they are evaluated on, engines.
//! - [`Trainings`]: studies and batches, among the models' sections or as a page of their own; [`history`], [`options`],
//!   [`loss_curves`], [`losses_so_far`] and [`result_charts`] are their charts, for other pages too.
//! - [`choice_chart`]: power modes and batches with their Pareto front.
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
//!     engines: Vec::new(), curve: None, importance: None, trainings: Default::default(),
//! };
//! assert!(report.render().contains("Models for jetson-orin-nano"));
//! # Ok::<(), shared::failure::Failure>(())
//! ```

mod accuracy;
mod batches;
mod choice;
mod energy;
mod engines;
mod input;
mod intervals;
mod losses;
mod models;
mod names;
mod page;
mod render;
pub mod runs;
mod studies;
mod table;
mod training;
mod trainings;

pub use batches::{loss_curves, losses_so_far, result_charts};
pub use choice::{EngineModes, choice_chart};
pub use input::{EngineView, Report, work_of};
pub use studies::{history, options};
pub use trainings::Trainings;
