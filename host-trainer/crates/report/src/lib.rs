//! Reports as pages that stand alone: models with their accuracy, and aligned runs.
//!
//! A report takes values and gives text. Reading models, data, engines and studies is the caller's task.
//!
//! - [`Report`]: the models of a device, the data they are evaluated on, engines and studies.
//! - [`runs`]: the quality of an aligned run.

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
