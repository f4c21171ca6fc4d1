//! What a client gets: JSON or CSV.

use crate::predict::{CSV_HEADER, Document, Prediction, SCHEMA_VERSION, csv_record};
use crate::serve::error::ApiError;
use crate::serve::models::Deployed;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
}

impl Format {
    /// The format that the `Accept` header prefers.
    ///
    /// # Errors
    /// A header that accepts neither.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(accept) = headers.get(header::ACCEPT) else { return Ok(Self::Json) };
        let accept = accept.to_str().unwrap_or_default();
        let mut best: Option<(f32, Self)> = None;
        for part in accept.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let format = match pieces.next().unwrap_or_default() {
                "application/json" | "application/*" | "*/*" => Self::Json,
                "text/csv" | "text/*" => Self::Csv,
                _ => continue,
            };
            let weight = pieces.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            let weight = weight.filter(|w: &f32| *w > 0.0 && *w <= 1.0);
            if let Some(weight) = weight
                && best.is_none_or(|(known, _)| weight > known)
            {
                best = Some((weight, format));
            }
        }
        best.map(|(_, format)| format).ok_or_else(|| {
            ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "answers are JSON or CSV")
                .help("send `Accept: application/json` or `Accept: text/csv`")
        })
    }
}

/// One engine's prediction with its name.
#[derive(Debug)]
pub struct Predicted {
    /// What the client calls the engine.
    pub engine: String,
    /// The prediction.
    pub prediction: Prediction,
}

/// What the workers found, with the models that said so.
#[derive(Debug)]
pub struct Answer {
    pub(super) set: Arc<Deployed>,
    pub(super) generation: u64,
    /// The engines predicted, in the order given.
    pub engines: Vec<Predicted>,
}

#[derive(Serialize)]
struct Program {
    name: &'static str,
    version: &'static str,
}

const PROGRAM: Program = Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// The document of one engine: as the command writes it, and what answered.
#[derive(Serialize)]
struct Single<'a> {
    #[serde(flatten)]
    document: Document<'a>,
    models: &'a BTreeMap<String, String>,
    digest: &'a str,
    generation: u64,
    program: Program,
}

impl Answer {
    /// SHA-256 of the set of models that answered.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.set.digest
    }

    pub(super) fn respond(&self, format: Format) -> Result<Response, ApiError> {
        match format {
            Format::Json => self.json(),
            Format::Csv => self.csv(),
        }
    }

    fn json(&self) -> Result<Response, ApiError> {
        let Some(first) = self.engines.first() else { return Err(ApiError::internal()) };
        let single = Single {
            document: Document { schema_version: SCHEMA_VERSION, engine: &first.engine, prediction: &first.prediction },
            models: &self.set.digests,
            digest: &self.set.digest,
            generation: self.generation,
            program: PROGRAM,
        };
        let body = serde_json::to_vec(&single).map_err(|_| ApiError::internal())?;
        Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
    }

    fn csv(&self) -> Result<Response, ApiError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = (|| {
            writer.write_record(CSV_HEADER)?;
            for layer in self.engines.iter().flat_map(|engine| &engine.prediction.layers) {
                writer.write_record(csv_record(layer))?;
            }
            Ok::<_, csv::Error>(())
        })();
        written.map_err(|_| ApiError::internal())?;
        let body = writer.into_inner().map_err(|_| ApiError::internal())?;
        Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response())
    }
}
