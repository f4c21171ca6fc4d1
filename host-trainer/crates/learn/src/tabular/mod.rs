//! Training on any table of numbers: rows of a SQLite database in, one perceptron a tag out, all its outputs in one graph.

mod data;
mod run;
mod sample;
mod sqlite;
mod train;

pub use data::TableData;
pub use run::{Tagged, Written, fit_tagged, read_tagged};
pub use sample::sample;
pub use sqlite::{Source, Zeros, is_at_rest, read, tags};
pub use train::{Fitted, RowSplit, SplitFit, TableCard, check_kind, fit, fit_split, folds, validate};
