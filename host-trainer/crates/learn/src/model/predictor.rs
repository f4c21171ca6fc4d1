//! What every model kind is: a recipe that fits a problem and gives a predictor that can be written as ONNX.

use super::Sums;
use estimators::FitError;
use onnx::{GraphBuilder, Value};
use serde::{Deserialize, Serialize};
use shared::engine::Table;

/// What is predicted of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Mean power while the layer runs, in watts.
    Power,
    /// Run time, in milliseconds.
    Runtime,
}

impl Target {
    /// Both targets, in the order of folders and reports.
    pub const ALL: [Self; 2] = [Self::Power, Self::Runtime];

    /// The name that folders, columns and graph outputs carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Runtime => "runtime",
        }
    }

    /// The other of the two.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Power => Self::Runtime,
            Self::Runtime => Self::Power,
        }
    }

    /// The unit of predictions.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Power => "W",
            Self::Runtime => "ms",
        }
    }
}

/// What a model is fitted on.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The layers' table.
    pub table: Table,
    /// What is predicted.
    pub target: Target,
    /// Names of the features, in order.
    pub features: Vec<String>,
    /// Feature values, row after row: `n × features.len()`.
    pub rows: Vec<f64>,
    /// Measured values, `n`.
    pub measured: Vec<f64>,
    /// The network of each row, as a number from 0: rows of one network never stand on both sides of a fold.
    pub networks: Vec<usize>,
    /// The other target's measured values, `n`, NaN where there is none; empty where nothing is known of it.
    pub companion: Vec<f64>,
}

impl Problem {
    /// The features of one row.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows[index * self.features.len()..(index + 1) * self.features.len()]
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.measured.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.measured.is_empty()
    }

    /// The problem of some of the rows.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            table: self.table,
            target: self.target,
            features: self.features.clone(),
            rows: indices.iter().flat_map(|&i| self.row(i).iter().copied()).collect(),
            measured: indices.iter().map(|&i| self.measured[i]).collect(),
            networks: indices.iter().map(|&i| self.networks[i]).collect(),
            companion: indices.iter().filter_map(|&i| self.companion.get(i).copied()).collect(),
        }
    }
}

/// A fitted model in memory.
pub trait Predictor: Send + Sync + std::fmt::Debug {
    /// Predicts one row of raw features, in the problem's order.
    fn predict(&self, features: &[f64]) -> f64;

    /// Writes the model into a graph: from rows of raw features (`rows × features`, double) to one column of predictions.
    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value;

    /// What a reader of the card should know of the fit: the penalty chosen, the number of terms, convergence.
    fn describe(&self) -> serde_json::Value;

    /// What went less than well, in sentences for people.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A way to fit: a model kind with its options.
pub trait Recipe: Send + Sync + std::fmt::Debug {
    /// The model kind's name, as the command line and the card have it.
    fn kind(&self) -> &'static str;

    /// The features it reads of a table's layers, in order.
    fn features(&self, table: Table, target: Target) -> Vec<String>;

    /// Fits a problem.
    ///
    /// # Errors
    /// When the problem cannot be fitted.
    fn fit(&self, problem: &Problem) -> Result<Box<dyn Predictor>, FitError>;

    /// Fits the models of all tables at once from measurements that are sums over layers; one predictor a part, in order.
    /// None where the model kind cannot learn from sums.
    fn fit_sums(&self, sums: &Sums) -> Option<Result<Vec<Box<dyn Predictor>>, FitError>> {
        let _ = sums;
        None
    }

    /// The options of one model, for its card.
    fn configuration(&self, table: Table, target: Target) -> serde_json::Value;
}
