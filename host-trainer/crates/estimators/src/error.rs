//! Why a fit fails.

use shared::failure::Failure;

/// Why a model could not be fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Fewer rows than the model kind needs.
    #[error("{found} rows are too few; it takes {needed}")]
    TooFewRows {
        /// Rows there are.
        found: usize,
        /// Rows it takes.
        needed: usize,
    },
    /// The data or the configuration are such that the fit fails.
    #[error("{0}")]
    Failed(String),
}

impl From<FitError> for Failure {
    fn from(error: FitError) -> Self {
        Self::data(error.to_string())
    }
}
