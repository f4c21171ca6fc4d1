//! Training data: measured layers in one table per layer kind, and measured totals of whole networks.

mod data;
mod read;
mod totals;

pub use data::{NetworkTotal, Row, TrainingData};
pub use read::{DEVICES_FILE, read};
pub use totals::Total;
