//! How good predictions are.

mod judge;
mod metrics;

pub use judge::{Judged, Judgement, Line, judge, judge_unseen};
pub use metrics::{Metrics, NEARLY_ZERO};
