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
    /// The prediction. `null` where there is none, or only a lower bound.
    pub(super) predicted: Option<f64>,
    /// What the predicted layers take: the prediction, or a lower bound of it. `null` where no layer is predicted.
    pub(super) at_least: Option<f64>,
    /// Whether the prediction is within the budget. A budget that cannot be checked is not kept.
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
    let (runtime, energy) = (&totals.runtime, &totals.energy);
    let power = totals.average_power().map(|power| power.0);
    let rows = [
        (
            "runtime_ms",
            budgets.runtime_ms,
            [runtime.whole(), runtime.at_least()].map(|t| t.map(|t| t.0)),
            totals.runtime_bounds,
        ),
        (
            "energy_mj",
            budgets.energy_mj,
            [energy.whole(), energy.at_least()].map(|e| e.map(|e| e.0)),
            totals.energy_bounds,
        ),
        // A mean over some of the layers bounds nothing.
        ("power_w", budgets.power_w, [power, power], None),
    ];
    rows.into_iter()
        .filter_map(|(what, budget, [predicted, at_least], bounds): (_, _, _, Option<Bounds>)| {
            let budget = budget?;
            let kept = predicted.is_some_and(|predicted| predicted <= budget);
            let kept_with_interval = bounds.map(|b| b.upper <= budget);
            Some(BudgetCheck { what, budget, predicted, at_least, kept, kept_with_interval })
        })
        .collect()
}
