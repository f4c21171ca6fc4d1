//! Budgets: the run time, energy and power that an engine may take.

use super::options::PredictOptions;
use crate::error::ApiError;
use learn::predict::{Bounds, Totals};
use serde::Serialize;
use shared::engine::Budgets;
use utoipa::ToSchema;

/// A budget beside the prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct BudgetCheck {
    /// What is limited: `runtime_ms`, `energy_mj`, `power_w`.
    pub(super) what: &'static str,
    /// The budget.
    pub(super) budget: f64,
    /// The prediction. `null` where there is none.
    pub(super) predicted: Option<f64>,
    /// Whether the prediction is within the budget.
    pub(super) kept: bool,
    /// Whether the prediction's upper bound is within the budget. `null` where there is no bound.
    pub(super) kept_with_interval: Option<bool>,
}

/// The budgets of a request. Those of the body replace those of the query.
///
/// # Errors
/// A budget that is not a number above 0.
pub(super) fn of_request(options: &PredictOptions, body: Budgets) -> Result<Budgets, ApiError> {
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

/// Compares budgets with a prediction.
pub(super) fn check(budgets: Budgets, totals: &Totals) -> Vec<BudgetCheck> {
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
            Some(BudgetCheck { what, budget, predicted, kept, kept_with_interval: bounds.map(|b| b.upper <= budget) })
        })
        .collect()
}
