//! Why a model cannot be loaded or run.

use std::path::PathBuf;

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are no ONNX model.
    #[error("is no ONNX model or is damaged: {0}")]
    Damaged(String),
    /// The model is not of the shape that our models have, or asks for what we do not load.
    #[error("is not a model of this program: {0}")]
    Foreign(String),
    /// The runtime refused the model or failed on it.
    #[error("the ONNX runtime failed: {0}")]
    Runtime(String),
    /// The native library cannot be used.
    #[error("cannot use the ONNX Runtime library {0}: {1}")]
    Library(PathBuf, String),
}

/// What the embedded runtime finds wrong with a model, or with what it is given.
pub(super) fn fault(message: impl Into<String>) -> OnnxError {
    OnnxError::Runtime(message.into())
}
