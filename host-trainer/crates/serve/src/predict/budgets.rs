//! Whether an engine costs no more than it may.

use super::Options;
use crate::error::ApiError;
use learn::predict::{Bounds, Totals};
use serde::Serialize;
use shared::engine::Budgets;

/// A budget beside what is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// What is limited: `runtime_ms`, `energy_mj`, `power_w`.
    pub what: &'static str,
    /// The most it may be.
    pub budget: f64,
    /// What is predicted; none where nothing predicts it.
    pub predicted: Option<f64>,
    /// Whether the prediction keeps the budget.
    pub kept: bool,
    /// Whether the upper bound of the prediction keeps it too; none where there is no bound.
    pub kept_with_interval: Option<bool>,
}

/// The budgets of a request's query, or those that its body has instead.
///
/// # Errors
/// A budget that is not a number above 0.
pub(super) fn of(options: &Options, body: Budgets) -> Result<Budgets, ApiError> {
    let budgets = Budgets {
        runtime_ms: body.runtime_ms.or(options.budget_runtime_ms),
        energy_mj: body.energy_mj.or(options.budget_energy_mj),
        power_w: body.power_w.or(options.budget_power_w),
    };
    let all = [budgets.runtime_ms, budgets.energy_mj, budgets.power_w];
    if all.iter().flatten().any(|budget| !(budget.is_finite() && *budget > 0.0)) {
        return Err(ApiError::bad_request("a budget is not a number above 0").place("budgets"));
    }
    Ok(budgets)
}

/// Puts budgets beside what is predicted.
pub(super) fn check(budgets: Budgets, totals: &Totals) -> Vec<Budget> {
    let energy = totals.average_power_w.map(|_| totals.energy_mj.0);
    let rows = [
        ("runtime_ms", budgets.runtime_ms, Some(totals.runtime_ms.0), totals.runtime_bounds),
        ("energy_mj", budgets.energy_mj, energy, totals.energy_bounds),
        ("power_w", budgets.power_w, totals.average_power_w.map(|power| power.0), None),
    ];
    rows.into_iter()
        .filter_map(|(what, budget, predicted, bounds): (_, _, _, Option<Bounds>)| {
            let budget = budget?;
            let kept = predicted.is_some_and(|predicted| predicted <= budget);
            Some(Budget { what, budget, predicted, kept, kept_with_interval: bounds.map(|b| b.upper <= budget) })
        })
        .collect()
}
