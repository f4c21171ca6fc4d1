//! What is fitted, and the constants that fitting, evaluation and tests share.

use crate::features::Extraction;
use crate::fit::estimator::{AboveFloor, Estimator};
use crate::fit::kinds::Kind;
use crate::fit::plan::{EvaluationSettings, Plan};
use crate::training::TrainingData;
use shared::engine::Table;
use std::collections::{BTreeSet, HashMap};

/// Rows a table needs before a model is fitted on it. With fewer, the roofline stands in for the table's layers.
pub const FEWEST_ROWS: usize = 5;
/// Largest relative difference between the in-memory model and its ONNX file, and between two runtimes.
pub const ONNX_TOLERANCE: f64 = 1e-5;

/// What to fit.
#[derive(Debug)]
pub struct FitJob<'a> {
    /// The data, of every device.
    pub data: &'a TrainingData,
    /// The model kind with its options.
    pub estimator: &'a dyn Estimator,
    /// How models are evaluated.
    pub evaluation: &'a EvaluationSettings,
    /// Networks kept back for testing.
    pub test_networks: &'a BTreeSet<String>,
    /// How layers of an engine are to be read for these models.
    pub extraction: Extraction,
    /// Whether predictions may be negative.
    pub negative_predictions: bool,
    /// Kinds that cards compare the model with, on the same folds; empty where nobody will read the comparison.
    pub baselines: &'a [Kind],
}

/// No network is kept back.
static NO_NETWORKS: BTreeSet<String> = BTreeSet::new();

impl<'a> FitJob<'a> {
    /// A job that keeps no network back, compares with no baseline, and whose models have no fault of EdgeProfiler's.
    #[must_use]
    pub fn new(data: &'a TrainingData, estimator: &'a dyn Estimator, evaluation: &'a EvaluationSettings) -> Self {
        Self {
            data,
            estimator,
            evaluation,
            test_networks: &NO_NETWORKS,
            extraction: Extraction::default(),
            negative_predictions: false,
            baselines: &[],
        }
    }

    /// The same with the faults of EdgeProfiler's that a plan asks for. `estimator` is the plan's own.
    #[must_use]
    pub fn of_plan(data: &'a TrainingData, estimator: &'a dyn Estimator, plan: &'a Plan) -> Self {
        Self {
            extraction: Extraction { reference_compatible: plan.reference_faults.ignore_pool_window },
            negative_predictions: plan.reference_faults.negative_predictions,
            ..Self::new(data, estimator, &plan.evaluation)
        }
    }

    /// Runs `with` on the estimator of layer models: with a floor for predictions, unless they may be negative.
    pub(super) fn with_estimator<T>(&self, with: impl FnOnce(&dyn Estimator) -> T) -> T {
        if self.negative_predictions { with(self.estimator) } else { with(&AboveFloor(self.estimator)) }
    }
}

/// A layer: its table, and its index among the table's rows.
pub type LayerId = (Table, usize);
/// Values of layers.
pub(super) type LayerValues = HashMap<LayerId, f64>;
/// A table's rows of one device, each with its index in the table.
pub(super) type DeviceTable<'a> = (Table, Vec<(usize, &'a crate::training::Row)>);
