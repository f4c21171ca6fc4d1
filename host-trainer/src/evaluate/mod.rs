//! How good predictions are.

mod judge;
mod metrics;

pub use metrics::{Metrics, NEARLY_ZERO};
pub use judge::{Judged, Judgement, Line, judge};
