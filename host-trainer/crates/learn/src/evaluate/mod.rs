//! How good predictions are, and what makes them so.

mod baselines;
mod columns;
mod curve;
mod leave_out;
mod measurand;
mod pairs;
mod refit;
mod report;

pub use baselines::Baselines;
pub use columns::{Effect, Effects, Shuffles, importance_of_kind, importance_of_models, leave_one_column_out};
pub use curve::{Curve, CurvePlan, CurvePoint, fits, learning_curve};
pub use leave_out::{MOST_LEFT_OUT, devices_to_evaluate, leave_one_network_out};
pub use measurand::Measurand;
pub use pairs::{Pair, Pairs, pairs};
pub use refit::Refit;
pub use report::{Evaluation, EvaluationRow, evaluate, evaluate_held_out, evaluation_rows};
