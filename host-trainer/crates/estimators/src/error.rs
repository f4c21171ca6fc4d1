//! Reasons why a model cannot be fitted.

use crate::design::ShapeError;
use crate::folds::FoldError;
use crate::lasso::LassoError;
use crate::linear::LinearError;
use crate::scaler::ScalerError;
use crate::terms::TermError;
use onnx::OnnxError;
use shared::failure::Failure;

/// A model that could not be fitted.
///
/// The message of a wrapped error is passed through; [`std::error::Error::source`] leads to what is behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Fewer rows than the estimator needs.
    #[error("{found} rows are too few; it takes {needed}")]
    TooFewRows {
        /// Rows in the data.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
    /// The estimator learns from single layers only, and the data hold totals of whole networks.
    #[error("{kind} cannot learn from whole networks' totals, and layers lack measurements; take physics or hybrid")]
    TotalsUnsupported {
        /// Name of the model kind.
        kind: &'static str,
    },
    /// An option is out of range, or options contradict each other or the task.
    #[error("{0}")]
    Options(String),
    /// The data hold a value that the estimator cannot use.
    #[error("{0}")]
    Data(String),
    /// Training left the range of numbers.
    #[error("{0}")]
    Diverged(String),
    /// Rows and columns of the data do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The polynomial terms cannot be made.
    #[error(transparent)]
    Terms(#[from] TermError),
    /// The scaler cannot be fitted.
    #[error(transparent)]
    Scaler(#[from] ScalerError),
    /// The folds cannot be made.
    #[error(transparent)]
    Folds(#[from] FoldError),
    /// The Lasso cannot be fitted.
    #[error(transparent)]
    Lasso(#[from] LassoError),
    /// The linear or generalised linear model cannot be fitted.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// The ONNX graph of the model cannot be loaded or run.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The ONNX graph does not compute what the model in memory computes.
    #[error("the ONNX model gives {onnx} where the model in memory gives {memory}")]
    OnnxDiffers {
        /// Prediction of the graph.
        onnx: f32,
        /// Prediction in memory.
        memory: f64,
    },
    /// One of several models could not be fitted.
    #[error("{model}: {source}")]
    Model {
        /// Which one, such as `convolutional runtime`.
        model: String,
        /// Why.
        source: Box<FitError>,
    },
}

impl FitError {
    /// Adds which model could not be fitted.
    #[must_use]
    pub fn of(self, model: impl Into<String>) -> Self {
        Self::Model { model: model.into(), source: Box::new(self) }
    }
}

impl From<FitError> for Failure {
    fn from(error: FitError) -> Self {
        Self::data(error.to_string())
    }
}
