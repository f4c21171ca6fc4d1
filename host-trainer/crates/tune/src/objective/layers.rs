//! The error of layer models on networks held out, never the test networks.

use super::with_parameters;
use crate::space::Parameters;
use crate::worker::Objective;
use estimators::metrics::Metrics;
use learn::evaluate::{Baselines, EvaluationRow, Measurand, evaluate_held_out};
use learn::fit::plan::Plan;
use learn::fit::train::{FEWEST_ROWS, FitJob, train, validate};
use learn::model::Target;
use learn::training::TrainingData;
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The figure that is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Mean absolute percentage error.
    #[default]
    Mape,
    /// Root of the mean squared percentage error.
    Rmspe,
}

impl Metric {
    /// All figures, in the order that help texts list them.
    pub const ALL: &[Self] = &[Self::Mape, Self::Rmspe];

    /// The name that the command line and studies have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mape => "mape",
            Self::Rmspe => "rmspe",
        }
    }

    /// The mean of the figure; none where there is nothing, or any of it has no such figure.
    pub(super) fn mean<'a>(self, metrics: impl IntoIterator<Item = &'a Metrics>) -> Option<f64> {
        let values: Vec<f64> = metrics.into_iter().map(|metrics| self.of(metrics)).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    fn of(self, metrics: &Metrics) -> Option<f64> {
        match self {
            Self::Mape => metrics.mape_percent,
            Self::Rmspe => metrics.rmspe_percent,
        }
    }
}

/// The word for whole networks among layer kinds.
const NETWORK: &str = "network";

/// What is minimised: the mean of a figure over layer kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSettings {
    /// The device.
    pub device: String,
    /// The figure.
    pub metric: Metric,
    /// Of what.
    pub target: Measurand,
    /// Layer kinds, or `network` for whole networks.
    pub kinds: Vec<String>,
}

/// The error of layer models on networks held out.
#[derive(Debug)]
pub struct LayerObjective {
    plan: Plan,
    data: TrainingData,
    settings: LayerSettings,
    test_networks: BTreeSet<String>,
    /// The models that fold by fold judging takes; none where whole networks or energies are judged.
    models: Option<Vec<(Table, Target)>>,
}

impl LayerObjective {
    /// An objective on data, which loses its test networks here. Without layer kinds, all that have rows enough count.
    ///
    /// # Errors
    /// A sentence: an unknown layer kind, or one without rows.
    pub fn new(plan: &Plan, data: &TrainingData, mut settings: LayerSettings) -> Result<Self, String> {
        let test_networks = plan.known_test_networks(data);
        let target = match settings.target {
            Measurand::Power => Some(Target::Power),
            Measurand::Runtime => Some(Target::Runtime),
            Measurand::Energy => None,
        };
        let rows = |table: Table| {
            let rows = data.tables.get(&table).map(Vec::as_slice).unwrap_or_default();
            let told = |row: &&learn::training::Row| match target {
                Some(Target::Power) => row.power.is_some(),
                Some(Target::Runtime) => row.runtime.is_some(),
                None => row.power.is_some() && row.runtime.is_some(),
            };
            let of_device = rows.iter().filter(|row| row.is_of(&settings.device));
            of_device.filter(|row| !test_networks.contains(&row.network)).filter(told).count()
        };
        if settings.kinds.is_empty() {
            let enough = Table::ALL.into_iter().filter(|table| rows(*table) >= FEWEST_ROWS);
            settings.kinds = enough.map(|table| table.name().to_owned()).collect();
        }
        if settings.kinds.is_empty() {
            return Err(format!("no layer kind has {FEWEST_ROWS} rows of {}", settings.target.name()));
        }
        let mut tables = Vec::new();
        for kind in settings.kinds.iter().filter(|kind| *kind != NETWORK) {
            let table = Table::from_name(kind).ok_or_else(|| {
                let known: Vec<&str> = Table::ALL.into_iter().map(Table::name).chain([NETWORK]).collect();
                format!("no layer kind `{kind}`{}", shared::near::near(kind, &known))
            })?;
            match rows(table) {
                enough if enough >= FEWEST_ROWS => tables.push(table),
                few => {
                    return Err(format!("{kind} has {few} rows of {}; it takes {FEWEST_ROWS}", settings.target.name()));
                }
            }
        }
        let by_fold = target.filter(|_| tables.len() == settings.kinds.len());
        let models = by_fold.map(|target| tables.into_iter().map(|table| (table, target)).collect());
        let mut data = data.clone();
        data.tables.values_mut().for_each(|rows| rows.retain(|row| !test_networks.contains(&row.network)));
        data.totals.retain(|total| !test_networks.contains(&total.network));
        Ok(Self { plan: plan.clone(), data, settings, test_networks, models })
    }

    /// What is minimised, with the layer kinds that count.
    #[must_use]
    pub fn settings(&self) -> &LayerSettings {
        &self.settings
    }
}

impl Objective for LayerObjective {
    fn steps(&self) -> u32 {
        if self.models.is_some() { self.plan.evaluation.folds as u32 } else { 1 }
    }

    fn judge(
        &self,
        parameters: &Parameters,
        after_step: &mut dyn FnMut(u32, f64) -> ControlFlow<()>,
    ) -> Result<f64, String> {
        let plan = with_parameters(&self.plan, parameters)?;
        let estimator = plan.estimator();
        let of_plan = FitJob::of_plan(&self.data, estimator.as_ref(), &plan);
        let job = FitJob { test_networks: &self.test_networks, ..of_plan };
        let none = || "there is nothing to judge by".to_owned();
        let Some(models) = &self.models else {
            let outcome = train(&job, &self.settings.device, &|_, _| {}).map_err(|e| e.to_string())?;
            let evaluation = evaluate_held_out(&self.data, &outcome, false, &Baselines::default());
            let of_kinds = self.settings.kinds.iter().map(|kind| {
                let wanted = |row: &&EvaluationRow| row.kind == kind && row.target == self.settings.target;
                evaluation.rows.iter().find(wanted).map(|row| &row.metrics).ok_or_else(none)
            });
            let metrics = of_kinds.collect::<Result<Vec<&Metrics>, String>>()?;
            let value = self.settings.metric.mean(metrics).ok_or_else(none)?;
            return match after_step(1, value) {
                ControlFlow::Continue(()) => Ok(value),
                ControlFlow::Break(()) => Err("it was given up".to_owned()),
            };
        };
        let mut after_fold = |fold: u32, so_far: &[Metrics]| match self.settings.metric.mean(so_far) {
            Some(value) => after_step(fold, value),
            // Rows of a first fold may all be as good as zero.
            None => ControlFlow::Continue(()),
        };
        let metrics = validate(&job, &self.settings.device, models, &mut after_fold).map_err(|e| e.to_string())?;
        self.settings.metric.mean(&metrics.ok_or("it was given up")?).ok_or_else(none)
    }
}
