//! Estimators: ways to fit models to a data set.

use crate::model::{Dataset, Predictor, Target};
use estimators::FitError;
use onnx::{GraphBuilder, Value};
use rayon::prelude::*;
use shared::engine::Table;

/// A model kind with its options.
///
/// ```
/// use learn::fit::kinds::Kind;
/// use learn::fit::plan::Plan;
/// use learn::model::{Dataset, LayerTable, Target};
/// use shared::engine::Table;
///
/// let estimator = Plan::of("physics".parse::<Kind>()?).estimator();
/// let features = estimator.features(Table::Dense, Target::Runtime);
/// assert_eq!(features, ["batch_size", "input_size", "output_size", "weights", "element_bytes"]);
/// let mut layers = LayerTable::new(Table::Dense, features);
/// for width in [256.0, 512.0, 1024.0, 2048.0] {
///     layers.rows.extend([1.0, width, 10.0, 10.0 * width, 2.0]);
/// }
/// let measured = vec![0.012, 0.014, 0.018, 0.026];
/// let models = estimator.fit(&Dataset::of_layers(Target::Runtime, layers, measured, vec![0, 1, 2, 3]))?;
/// let predicted = models.0[0].predict(&[1.0, 1536.0, 10.0, 15360.0, 2.0]);
/// assert!((predicted / 0.022 - 1.0).abs() < 0.05, "{predicted} ms");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Estimator: Send + Sync + std::fmt::Debug {
    /// Name of the model kind, as the command line and the card have it.
    fn kind(&self) -> &'static str;

    /// The features it reads of a table's layers, in order.
    fn features(&self, table: Table, target: Target) -> Vec<String>;

    /// Degree of the polynomial in its features; `None` of a kind that is not a polynomial.
    fn degree(&self, _table: Table, _target: Target) -> Option<u32> {
        None
    }

    /// Fits one model for each table of a data set.
    ///
    /// # Errors
    /// Data that the kind cannot be fitted on; [`FitError::TotalsUnsupported`] where it learns from single layers only and
    /// the data hold sums.
    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError>;

    /// The options of one model, for its card.
    fn configuration(&self, table: Table, target: Target) -> serde_json::Value;
}

/// Models fitted together: one for each table of the data set, in its order.
#[derive(Debug)]
pub struct FittedModels(pub Vec<Box<dyn Predictor>>);

impl FittedModels {
    /// The models from predictors of one type.
    pub fn of<P: Predictor + 'static>(predictors: impl IntoIterator<Item = P>) -> Self {
        Self(predictors.into_iter().map(|predictor| Box::new(predictor) as Box<dyn Predictor>).collect())
    }

    /// Predictions of every row, by table. `data` has the tables of the data set that the models were fitted on.
    #[must_use]
    pub fn predict_rows(&self, data: &Dataset) -> Vec<Vec<f64>> {
        let tables = self.0.iter().zip(&data.tables);
        tables
            .map(|(model, table)| (0..table.len()).into_par_iter().map(|i| model.predict(table.row(i))).collect())
            .collect()
    }

    /// Predictions of every measurement: sums over the layers that occur in it.
    #[must_use]
    pub fn predict(&self, data: &Dataset) -> Vec<f64> {
        data.sum(&self.predict_rows(data))
    }

    /// Replaces each model by one made of it.
    #[must_use]
    pub fn map(self, change: impl Fn(Box<dyn Predictor>) -> Box<dyn Predictor>) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }
}

/// An estimator whose predictions never fall below the smallest positive measurement: a layer takes time and power.
#[derive(Debug, Clone, Copy)]
pub struct AboveFloor<'a>(pub &'a dyn Estimator);

impl Estimator for AboveFloor<'_> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.0.features(table, target)
    }

    fn degree(&self, table: Table, target: Target) -> Option<u32> {
        self.0.degree(table, target)
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        let models = self.0.fit(data)?;
        let floor = data.measured.iter().copied().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
        if !floor.is_finite() {
            return Ok(models);
        }
        Ok(models.map(|predictor| Box::new(Floored { predictor, floor })))
    }

    fn configuration(&self, table: Table, target: Target) -> serde_json::Value {
        self.0.configuration(table, target)
    }
}

/// A predictor that never falls below a floor.
#[derive(Debug)]
struct Floored {
    predictor: Box<dyn Predictor>,
    floor: f64,
}

impl Predictor for Floored {
    fn predict(&self, features: &[f64]) -> f64 {
        self.predictor.predict(features).max(self.floor)
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let prediction = self.predictor.export(graph, features);
        let floor = graph.doubles(&[self.floor], &[1, 1]);
        graph.apply("Max", &[&prediction, &floor], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        let mut description = self.predictor.describe();
        if let Some(fields) = description.as_object_mut() {
            fields.insert("floor".to_owned(), self.floor.into());
        }
        description
    }

    fn warnings(&self) -> Vec<String> {
        self.predictor.warnings()
    }
}
