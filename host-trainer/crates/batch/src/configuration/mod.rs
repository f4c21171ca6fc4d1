//! Configurations by content: data sets, models, trainings, and which of their product are tasks.
//!
//! A configuration is data in TOML or JSON. Unknown keys are refused with their place. The same content has the same name, a
//! SHA-256 over its canonical form with every default in it, whatever it is called and wherever its data lie. Nothing is
//! imported by name, and no code runs from data.

mod canonical;
mod dataset;
mod file;
mod model;
mod samplers;
mod selection;
mod training;

pub(crate) use canonical::digest;
pub use dataset::{DataKind, Dataset, DatasetContent, DatasetFile, LayerContent, TableContent, Zeros};
pub use file::ConfigurationFile;
pub use model::Model;
pub use samplers::{Sampler, Samplers, Split};
pub use selection::{ModelChoice, Selection};
pub(crate) use selection::{chosen, matches};
pub(crate) use training::DECIDED;
pub use training::{Precision, Score, Training};
