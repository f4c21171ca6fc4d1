//! How good predictions are, and what makes them so.

mod columns;
mod curve;
mod judge;
mod leave_out;
mod pairs;
mod refit;

pub use columns::{Effect, Effects, Shuffles, importance_of_kind, importance_of_models, leave_one_column_out};
pub use curve::{Curve, CurvePlan, CurvePoint, fits, learning_curve};
pub use judge::{Judged, Judgement, Line, judge, judge_unseen, lines};
pub use leave_out::{MOST_LEFT_OUT, devices_to_judge, leave_one_network_out};
pub use pairs::{Pair, Pairs, pairs};
pub use refit::Refit;
