//! `/v1/studies`.

use super::{Checked, Order, follow};
use crate::error::{ApiError, ErrorBody};
use crate::events::kept_alive;
use crate::{App, json};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use futures_util::StreamExt;
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::studies::{Counts, Specification, Trial};
use utoipa::ToSchema;

/// Largest order read, in bytes.
pub(crate) const ORDER_BYTES: usize = 1 << 20;

/// What `GET /v1/studies` says.
#[derive(Debug, Serialize)]
pub(crate) struct List {
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
    /// `running`, `waiting`, `stopped`, `done`, or `running elsewhere`.
    state: &'static str,
    created_ms: i64,
    sampler: &'static str,
    trials: u64,
    counts: Counts,
    best: Option<Trial>,
}

/// Studies, how far they are, and the best trial of each.
#[utoipa::path(get, path = "/v1/studies", tag = "studies", responses((status = 200, description = "Studies, newest first")))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<List>, ApiError> {
    let studies = app.bench.studies().await?;
    let (mut summaries, situation) = (Vec::new(), app.bench.situation());
    for study in studies.list().await? {
        let progress = studies.progress(&study.name).await?;
        summaries.push(Summary {
            state: situation.state(&study.name, &progress),
            sampler: study.specification.sampler.name(),
            name: study.name,
            created_ms: study.created_ms,
            trials: progress.trials,
            counts: progress.counts,
            best: progress.best,
        });
    }
    Ok(Json(List { schema_version: 1, running: situation.running, queue: situation.queue, studies: summaries }))
}

/// A study's trials.
#[derive(Debug, Serialize)]
pub(crate) struct Trials {
    schema_version: u32,
    study: tune::studies::Study,
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
pub(crate) async fn one(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Trials>, ApiError> {
    let studies = app.bench.studies().await?;
    let study = studies.study(&name).await?;
    let trials = studies.trials(&name).await?;
    Ok(Json(Trials { schema_version: 1, study, trials }))
}

/// What `POST /v1/studies` takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// What is searched: a grid or a space as an object, or the text of a file, JSON or TOML.
    space: Value,
    /// The model kind [default: the one that all options are of, else lasso].
    #[schema(value_type = Option<String>)]
    kind: Option<Kind>,
    /// The device [default: the only one in the data].
    device: Option<String>,
    /// `runtime`, `power` or `energy` [default: runtime].
    #[schema(value_type = Option<String>)]
    target: Option<Measurand>,
    /// Trials [default: all of a grid, else 20].
    trials: Option<u64>,
    /// `grid`, `tpe` or `random` [default: grid where the values can be counted, else tpe].
    #[schema(value_type = Option<String>)]
    sampler: Option<Sampler>,
    /// `none`, `median` or `hyperband` [default: none].
    #[schema(value_type = Option<String>)]
    pruner: Option<Pruner>,
    /// Rows used of each table [default: all].
    samples: Option<usize>,
    /// Only says what would be begun.
    #[serde(default)]
    dry_run: bool,
}

impl Wanted {
    fn order(self) -> Order {
        let text = match self.space {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let Self { kind, device, target, trials, sampler, pruner, samples, .. } = self;
        Order { file: "space".to_owned(), text, kind, device, target, trials, sampler, pruner, samples }
    }
}

/// What was begun, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    schema_version: u32,
    name: String,
    /// `waiting`, or `checked` where nothing was begun.
    state: &'static str,
    trials: u64,
    specification: Specification,
}

/// Begin a study: it is checked, made, and put into the queue of this server's worker.
///
/// The order determines the name: the same order goes on with the same study.
#[utoipa::path(
    post,
    path = "/v1/studies",
    tag = "studies",
    request_body = Wanted,
    responses(
        (status = 200, description = "What would be begun, with `dry_run`"),
        (status = 201, description = "It waits for the worker"),
        (status = 400, description = "An option, a device or a number of trials that cannot be", body = ErrorBody),
        (status = 422, description = "A body that is no order", body = ErrorBody),
        (status = 429, description = "Too many studies wait", body = ErrorBody)
    )
)]
pub(crate) async fn begin(State(app): State<Arc<App>>, body: Body) -> Result<(StatusCode, Json<Begun>), ApiError> {
    let wanted: Wanted = json::read(body, ORDER_BYTES).await?;
    let dry_run = wanted.dry_run;
    let (_, checked) = super::checked(&app, wanted.order()).await?;
    if !dry_run {
        super::begin(&app, &checked).await?;
    }
    let (status, state) = if dry_run { (StatusCode::OK, "checked") } else { (StatusCode::CREATED, "waiting") };
    let Checked { name, trials, specification } = checked;
    Ok((status, Json(Begun { schema_version: 1, name, state, trials, specification })))
}

/// Where a study stands after it was started or stopped.
#[derive(Debug, Serialize)]
pub(crate) struct Moved {
    schema_version: u32,
    name: String,
    /// `running`, `waiting`, `stopped`, `done`, or `running elsewhere`.
    state: &'static str,
    trials: u64,
    counts: Counts,
}

async fn where_it_stands(app: &App, name: String) -> Result<Json<Moved>, ApiError> {
    let progress = app.bench.studies().await?.progress(&name).await?;
    let state = app.bench.situation().state(&name, &progress);
    Ok(Json(Moved { schema_version: 1, name, state, trials: progress.trials, counts: progress.counts }))
}

/// Start a study, or go on with it.
#[utoipa::path(
    post,
    path = "/v1/studies/{name}/start",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "It waits for the worker, unless it is done"),
        (status = 404, description = "There is no such study", body = ErrorBody),
        (status = 429, description = "Too many studies wait", body = ErrorBody)
    )
)]
pub(crate) async fn start(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Moved>, ApiError> {
    app.bench.studies().await?.study(&name).await?;
    app.bench.start(&name)?;
    where_it_stands(&app, name).await
}

/// Stop a study; its trials in hand are released, and it can be started again.
#[utoipa::path(
    post,
    path = "/v1/studies/{name}/stop",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "No further trial of it begins here"),
        (status = 404, description = "There is no such study", body = ErrorBody)
    )
)]
pub(crate) async fn stop(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Moved>, ApiError> {
    app.bench.studies().await?.study(&name).await?;
    app.bench.stop(&name)?;
    where_it_stands(&app, name).await
}

/// A study's progress, as server-sent events: as it is, and whenever it changes, until it is done.
///
/// Each event is named `study` and holds `{"event": "study", "id", "state", "done", "trials", "best"}`.
#[utoipa::path(
    get,
    path = "/v1/studies/{name}/events",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "A stream", content_type = "text/event-stream"),
        (status = 404, description = "There is no such study", body = ErrorBody)
    )
)]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    app.bench.studies().await?.study(&name).await?;
    let events = follow::progress(&app, &name).filter_map(|event| std::future::ready(event.sent().map(Ok)));
    Ok(kept_alive(events))
}
