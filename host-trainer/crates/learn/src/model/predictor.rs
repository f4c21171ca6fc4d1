//! What a model predicts, and a fitted model in memory.

use onnx::{GraphBuilder, Value};
use serde::{Deserialize, Serialize};

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

/// A fitted model of one table and target, in memory.
pub trait Predictor: Send + Sync + std::fmt::Debug {
    /// Predicts one row of raw features, in the order of the data set it was fitted on: W or ms.
    fn predict(&self, features: &[f64]) -> f64;

    /// Writes the model into a graph: from rows of raw features (`rows × features`, double) to one column of predictions.
    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value;

    /// Facts of the fit for the card: the penalty chosen, the number of terms, convergence.
    fn describe(&self) -> serde_json::Value;

    /// Problems of the fit, in sentences for people.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
