//! Responses of predictions: bytes of JSON or CSV, and what every document states of the models behind it.

use crate::error::ApiError;
use crate::models::DeployedModels;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use learn::model::PROGRAM;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A response to a request for predictions.
#[derive(Debug, Clone)]
pub(crate) struct PredictResponse {
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    /// Layers or rows predicted in it.
    pub(super) layers: usize,
}

impl IntoResponse for PredictResponse {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

impl PredictResponse {
    /// A JSON response.
    ///
    /// # Errors
    /// A document that JSON cannot hold.
    pub(super) fn json(document: &impl Serialize, layers: usize) -> Result<Self, ApiError> {
        // The document of an engine takes about 400 bytes per layer; this spares most reallocations.
        let mut body = Vec::with_capacity(16 << 10);
        serde_json::to_writer(&mut body, document).map_err(|_| ApiError::internal())?;
        Ok(Self { content_type: "application/json", body: body.into(), layers })
    }

    /// A CSV response.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn csv(
        layers: usize,
        write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), ApiError>,
    ) -> Result<Self, ApiError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        write(&mut writer)?;
        let body = writer.into_inner().map_err(|_| ApiError::internal())?;
        Ok(Self { content_type: "text/csv; charset=utf-8", body: body.into(), layers })
    }
}

/// The models and the program behind a prediction. Every document states them.
#[derive(Serialize, ToSchema)]
pub(crate) struct PredictedBy<'a> {
    /// SHA-256 of each model's graph, by `layer kind/target`.
    models: &'a BTreeMap<String, String>,
    /// SHA-256 of the whole set of models.
    digest: &'a str,
    /// The deployment's generation.
    generation: u64,
    program: ProgramVersion,
}

/// A program with its version.
#[derive(Serialize, ToSchema)]
struct ProgramVersion {
    name: &'static str,
    version: &'static str,
}

impl<'a> PredictedBy<'a> {
    pub(super) fn new(models: &'a DeployedModels, generation: u64) -> Self {
        let program = ProgramVersion { name: PROGRAM, version: env!("CARGO_PKG_VERSION") };
        Self { models: &models.digests, digest: &models.digest, generation, program }
    }
}
