//! `/v1/studies`.

use super::failure;
use crate::serve::App;
use crate::serve::error::ApiError;
use crate::tune::studies::{Counts, StudyError, Trial};
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use std::sync::Arc;

/// What `GET /v1/studies` says.
#[derive(Debug, Serialize)]
pub(in crate::serve) struct List {
    schema_version: u32,
    /// The study worked on here.
    running: Option<String>,
    /// Studies started here and not done, in order.
    queue: Vec<String>,
    studies: Vec<Summary>,
}

/// One study.
#[derive(Debug, Serialize)]
struct Summary {
    name: String,
    created_ms: i64,
    sampler: &'static str,
    trials: u64,
    counts: Counts,
    best: Option<Trial>,
}

/// A study's error as a client meets it.
pub(in crate::serve) fn refusal(error: StudyError) -> ApiError {
    match error {
        StudyError::Unknown(name) => {
            ApiError::not_found(format!("there is no study `{}`", shared::failure::printable(&name)))
        }
        other => failure(other).into(),
    }
}

/// Studies, how far they are, and the best trial of each.
#[utoipa::path(get, path = "/v1/studies", tag = "studies", responses((status = 200, description = "Studies, newest first")))]
pub(in crate::serve) async fn list(State(app): State<Arc<App>>) -> Result<Json<List>, ApiError> {
    let studies = app.bench.studies().await.map_err(refusal)?;
    let mut summaries = Vec::new();
    for study in studies.list().await.map_err(refusal)? {
        let progress = studies.progress(&study.name).await.map_err(refusal)?;
        summaries.push(Summary {
            sampler: study.specification.sampler.name(),
            name: study.name,
            created_ms: study.created_ms,
            trials: progress.trials,
            counts: progress.counts,
            best: progress.best,
        });
    }
    let situation = app.bench.situation();
    Ok(Json(List { schema_version: 1, running: situation.running, queue: situation.queue, studies: summaries }))
}

/// A study's trials.
#[derive(Debug, Serialize)]
pub(in crate::serve) struct Trials {
    schema_version: u32,
    study: crate::tune::studies::Study,
    trials: Vec<Trial>,
}

/// One study with its trials.
#[utoipa::path(
    get,
    path = "/v1/studies/{name}",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses((status = 200, description = "The study and its trials"), (status = 404, description = "There is no such study"))
)]
pub(in crate::serve) async fn one(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Trials>, ApiError> {
    let studies = app.bench.studies().await.map_err(refusal)?;
    let study = studies.study(&name).await.map_err(refusal)?;
    let trials = studies.trials(&name).await.map_err(refusal)?;
    Ok(Json(Trials { schema_version: 1, study, trials }))
}
