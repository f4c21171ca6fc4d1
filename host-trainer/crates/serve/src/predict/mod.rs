//! Predictions: requests are queued by the handlers and answered in batches by the workers.
//!
//! A request passes `PredictRequest` (queued) → `ParsedRequest` (in a batch) → `PredictResponse`. Responses to engines are
//! cached until the models change.

mod budgets;
mod cache;
mod engine_response;
mod engines;
mod format;
mod memory;
mod options;
mod predictor;
mod queue;
mod request;
mod response;
mod row_response;
mod rows;
mod worker;

pub(crate) use engine_response::{BatchDocument, EngineDocument};
pub(crate) use format::ResponseFormat;
pub(crate) use options::PredictOptions;
pub(crate) use predictor::Predictor;
pub(crate) use request::PredictKind;
pub(crate) use response::PredictResponse;
pub(crate) use row_response::RowsDocument;
pub(crate) use rows::RowsBody;
