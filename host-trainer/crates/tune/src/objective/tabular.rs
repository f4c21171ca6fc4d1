//! The error of a table's model on folds.

use super::{Metric, with_parameters};
use crate::space::Parameters;
use crate::worker::Objective;
use estimators::metrics::Metrics;
use learn::fit::plan::Plan;
use learn::tabular::{Tagged, folds, validate};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The mean of a figure over the outputs of a table, on folds.
#[derive(Debug)]
pub struct TableObjective {
    /// The rows.
    pub table: Arc<Tagged>,
    /// The plan that trials differ from.
    pub plan: Plan,
    /// The figure.
    pub metric: Metric,
}

impl Objective for TableObjective {
    fn steps(&self) -> u32 {
        folds(&self.plan)
    }

    fn judge(
        &self,
        parameters: &Parameters,
        after_step: &mut dyn FnMut(u32, f64) -> ControlFlow<()>,
    ) -> Result<f64, String> {
        let plan = with_parameters(&self.plan, parameters)?;
        let mut after_fold = |fold: u32, so_far: &[Metrics]| match self.metric.mean(so_far) {
            Some(value) => after_step(fold, value),
            None => ControlFlow::Continue(()),
        };
        let metrics = validate(&self.table.data, &plan, &mut after_fold).map_err(|e| e.to_string())?;
        self.metric.mean(&metrics.ok_or("it was given up")?).ok_or_else(|| "there is nothing to judge by".to_owned())
    }
}
