//! From preprocessed runs to training data: one row for each layer, statistics, and totals of whole networks.
//!
//! [`networks`] finds the networks of a preprocessed folder, [`convert`] makes the training data of one. What an alignment
//! knows of its rows it left in `layer_statistics.csv`; only folders without it, such as EdgeProfiler's, have their rows
//! read.
//!
//! [`from_networks`] needs no run: a list of graphs or engine infos and of what each network took as a whole.

mod convert;
mod from_networks;
mod mapping_statistics;
mod options;
mod outcome;
mod provenance;
mod report;
mod statistics_tables;
mod text;
pub mod totals;
mod training_tables;

pub use convert::{convert, networks};
pub use from_networks::from_networks;
pub use mapping_statistics::read as read_mapping;
pub use options::{Options, PowerKind};
pub use outcome::{LeftOut, Outcome};
