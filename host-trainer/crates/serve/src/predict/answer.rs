//! What a client gets: JSON or CSV.

use super::Budget;
use crate::error::{ApiError, Parts};
use crate::models::Deployed;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use learn::predict::{CSV_HEADER, Document, Prediction, SCHEMA_VERSION, csv_record};
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
    /// The prediction, or why there is none.
    pub prediction: Result<Prediction, ApiError>,
    /// The budgets asked for, beside what is predicted.
    pub budgets: Vec<Budget>,
}

/// What the workers found, with the models that said so.
#[derive(Debug)]
pub struct Answer {
    pub(super) set: Arc<Deployed>,
    pub(super) generation: u64,
    pub(super) is_batch: bool,
    /// The engines predicted, in the order given.
    pub engines: Vec<Predicted>,
}

/// What predicted: every answer says so.
#[derive(Serialize)]
pub(super) struct Origin<'a> {
    models: &'a BTreeMap<String, String>,
    digest: &'a str,
    generation: u64,
    program: Program,
}

#[derive(Serialize)]
struct Program {
    name: &'static str,
    version: &'static str,
}

impl<'a> Origin<'a> {
    pub(super) fn of(set: &'a Deployed, generation: u64) -> Self {
        let program = Program { name: learn::model::PROGRAM, version: env!("CARGO_PKG_VERSION") };
        Self { models: &set.digests, digest: &set.digest, generation, program }
    }
}

/// The document of one engine: as the command writes it, and what predicted.
#[derive(Serialize)]
struct Single<'a> {
    #[serde(flatten)]
    document: Document<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    budgets: &'a [Budget],
    #[serde(flatten)]
    origin: Origin<'a>,
}

/// The document of several engines.
#[derive(Serialize)]
struct Several<'a> {
    schema_version: u32,
    device: &'a str,
    predictions: Vec<One<'a>>,
    #[serde(flatten)]
    origin: Origin<'a>,
}

/// One engine of several: predicted, or not.
#[derive(Serialize)]
#[serde(untagged)]
enum One<'a> {
    Predicted {
        engine: &'a str,
        #[serde(flatten)]
        prediction: &'a Prediction,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        budgets: &'a [Budget],
    },
    Refused {
        engine: &'a str,
        error: Parts<'a>,
    },
}

impl<'a> One<'a> {
    fn of(predicted: &'a Predicted) -> Self {
        let engine = &predicted.engine;
        match &predicted.prediction {
            Ok(prediction) => Self::Predicted { engine, prediction, budgets: &predicted.budgets },
            Err(error) => Self::Refused { engine, error: error.parts() },
        }
    }
}

impl Answer {
    /// SHA-256 of the set of models that answered.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.set.digest
    }

    /// SHA-256 of each model's graph, by `layer kind/target`.
    #[must_use]
    pub fn models(&self) -> &BTreeMap<String, String> {
        &self.set.digests
    }

    pub(super) fn write(&self, format: Format) -> Result<Written, ApiError> {
        match format {
            Format::Json => self.json(),
            Format::Csv => self.csv(),
        }
    }

    fn layers(&self) -> usize {
        self.engines.iter().flat_map(|engine| &engine.prediction).map(|prediction| prediction.layers.len()).sum()
    }

    fn json(&self) -> Result<Written, ApiError> {
        let origin = Origin::of(&self.set, self.generation);
        if self.is_batch {
            let predictions = self.engines.iter().map(One::of).collect();
            let device = self.set.device();
            return json(&Several { schema_version: SCHEMA_VERSION, device, predictions, origin }, self.layers());
        }
        let Some(Predicted { engine, prediction, budgets }) = self.engines.first() else {
            return Err(ApiError::internal());
        };
        let prediction = prediction.as_ref().map_err(Clone::clone)?;
        let document = Document { schema_version: SCHEMA_VERSION, engine, prediction };
        json(&Single { document, budgets, origin }, self.layers())
    }

    /// The rows of every engine. A table has no place for a refusal: one engine that cannot be predicted refuses all.
    fn csv(&self) -> Result<Written, ApiError> {
        csv(self.layers(), |writer| {
            let mut header = CSV_HEADER.to_vec();
            if self.is_batch {
                header.push("engine");
            }
            writer.write_record(header).map_err(|_| ApiError::internal())?;
            for Predicted { engine, prediction, .. } in &self.engines {
                for layer in &prediction.as_ref().map_err(Clone::clone)?.layers {
                    let mut record = csv_record(layer);
                    if self.is_batch {
                        record.push(engine.clone());
                    }
                    writer.write_record(record).map_err(|_| ApiError::internal())?;
                }
            }
            Ok(())
        })
    }
}

/// An answer as it goes to the client.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    /// Layers or rows predicted in it.
    pub(super) layers: usize,
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

/// A JSON answer.
pub(super) fn json(document: &impl Serialize, layers: usize) -> Result<Written, ApiError> {
    // A document of an engine takes about 400 bytes a layer: a good start saves most of the growing.
    let mut body = Vec::with_capacity(16 << 10);
    serde_json::to_writer(&mut body, document).map_err(|_| ApiError::internal())?;
    Ok(Written { content_type: "application/json", body: body.into(), layers })
}

/// A CSV answer.
pub(super) fn csv(
    layers: usize,
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), ApiError>,
) -> Result<Written, ApiError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer)?;
    let body = writer.into_inner().map_err(|_| ApiError::internal())?;
    Ok(Written { content_type: "text/csv; charset=utf-8", body: body.into(), layers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_format_is_taken() {
        let of = |accept: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().expect("a header"))]);
            Format::accepted(&headers).ok()
        };
        assert_eq!(of("text/csv"), Some(Format::Csv));
        assert_eq!(of("text/html, */*;q=0.1"), Some(Format::Json));
        assert_eq!(of("application/json;q=0.5, text/csv;q=0.9"), Some(Format::Csv));
        assert_eq!(of("text/csv;q=0, application/json"), Some(Format::Json));
        assert_eq!(of("image/png"), None);
        assert_eq!(Format::accepted(&HeaderMap::new()).ok(), Some(Format::Json));
    }
}
