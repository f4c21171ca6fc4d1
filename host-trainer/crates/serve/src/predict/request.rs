//! Requests for predictions, as the workers get them.

use super::format::ResponseFormat;
use super::options::PredictOptions;
use axum::body::Bytes;

/// A request for predictions: its body, what the body holds, and the format of the response.
#[derive(Debug)]
pub(crate) struct PredictRequest {
    /// What the body holds.
    pub(crate) kind: PredictKind,
    /// The body, unread.
    pub(crate) body: Bytes,
    /// The format of the response.
    pub(crate) format: ResponseFormat,
}

/// What the body of a request holds.
#[derive(Debug)]
pub(crate) enum PredictKind {
    /// One engine info or several.
    Engines(PredictOptions),
    /// Rows of features of one layer kind.
    Rows,
}
