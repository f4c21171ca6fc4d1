//! How good predictions are.

mod metrics;

pub use metrics::{Metrics, NEARLY_ZERO};
