//! Evaluates a model kind: each network by models fitted on all the others.

use super::{Baselines, Evaluation, evaluate_held_out};
use crate::fit::plan::Plan;
use crate::fit::run::{UNNAMED_DEVICE, devices_of};
use crate::fit::train::{FitJob, train};
use crate::model::Target;
use crate::training::TrainingData;
use estimators::FitError;
use shared::engine::Table;

/// Networks that are left out one by one, at most; more are left out in so many groups.
pub const MOST_LEFT_OUT: usize = 100;

/// Devices to evaluate, by their names in the data: the one wanted, else all that the data name.
#[must_use]
pub fn devices_to_evaluate(data: &TrainingData, wanted: Option<&str>) -> Vec<String> {
    let known = devices_of(data);
    match wanted {
        Some(device) => vec![data.name_of(device).to_owned()],
        None if known.is_empty() => vec![UNNAMED_DEVICE.to_owned()],
        None => known.into_iter().map(str::to_owned).collect(),
    }
}

/// Fits a device's models with as many folds as there are networks, up to [`MOST_LEFT_OUT`], and evaluates what the folds
/// held out. `progress` hears of each model as it is done.
///
/// # Errors
/// A fit that fails.
pub fn leave_one_network_out(
    plan: &Plan,
    data: &TrainingData,
    device: &str,
    by_network: bool,
    progress: &(dyn Fn(Table, Target) + Sync),
) -> Result<Evaluation, FitError> {
    let mut plan = plan.clone();
    plan.evaluation.folds = MOST_LEFT_OUT;
    let estimator = plan.estimator();
    let job = FitJob::new(data, estimator.as_ref(), &plan.evaluation);
    let outcome = train(&job, device, progress)?;
    let baselines = Baselines::of(data, device, plan.evaluation.folds);
    Ok(evaluate_held_out(data, &outcome, by_network, &baselines))
}
