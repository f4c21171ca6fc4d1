//! Requests for predictions, as the workers get them.

use super::format::ResponseFormat;
use super::memory::BodyPermit;
use super::options::PredictOptions;
use axum::body::Bytes;

/// A request for predictions: its body, what the body holds, and the format of the response.
#[derive(Debug)]
pub(super) struct PredictRequest {
    /// What the body holds.
    pub(super) kind: PredictKind,
    /// The body, unread.
    pub(super) body: Bytes,
    /// The memory of the body and of what is read from it.
    pub(super) memory: BodyPermit,
    /// The format of the response.
    pub(super) format: ResponseFormat,
}

/// What the body of a request holds.
#[derive(Debug)]
pub(crate) enum PredictKind {
    /// One engine info or several.
    Engines(PredictOptions),
    /// Rows of features of one layer kind.
    Rows,
}
