//! `/v1/studies`.

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::events::Event;
use crate::studies::{CheckedStudy, MOST_BYTES, StudyRequest, progress};
use crate::{json, sse};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::studies::{Counts, Specification, Study, Trial};
use utoipa::ToSchema;

/// The studies, and the queue of this server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyList {
    schema_version: u32,
    /// The study that runs here.
    running: Option<String>,
    /// The studies that were started here and are not done, in order.
    queue: Vec<String>,
    studies: Vec<StudySummary>,
}

/// One study.
#[derive(Debug, Serialize, ToSchema)]
struct StudySummary {
    name: String,
    /// `running`, `waiting`, `stopped`, `done`, or `running elsewhere`.
    state: &'static str,
    created_ms: i64,
    sampler: &'static str,
    trials: u64,
    counts: Counts,
    /// The best complete trial.
    best: Option<Trial>,
}

/// Studies with their progress and best trial.
#[utoipa::path(
    get,
    path = "/v1/studies",
    operation_id = "list_studies",
    tag = "studies",
    responses((status = 200, description = "Studies, newest first", body = StudyList))
)]
pub(super) async fn list_studies(State(app): State<Arc<App>>) -> Result<Json<StudyList>, ApiError> {
    let (mut summaries, status) = (Vec::new(), app.studies.status());
    for (study, progress) in app.studies.list().await? {
        summaries.push(StudySummary {
            state: status.state(&study.name, &progress),
            sampler: study.specification.sampler.name(),
            name: study.name,
            created_ms: study.created_ms,
            trials: progress.trials,
            counts: progress.counts,
            best: progress.best,
        });
    }
    Ok(Json(StudyList { schema_version: 1, running: status.running, queue: status.queue, studies: summaries }))
}

/// A study with its trials.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyTrials {
    schema_version: u32,
    study: Study,
    trials: Vec<Trial>,
}

/// One study with its trials.
#[utoipa::path(
    get,
    path = "/v1/studies/{name}",
    operation_id = "get_study",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "The study and its trials", body = StudyTrials),
        (status = 404, description = "There is no such study", body = ErrorBody<'_>)
    )
)]
pub(super) async fn get_study(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<StudyTrials>, ApiError> {
    let studies = app.studies.database_of(&name).await?;
    let study = studies.study(&name).await?;
    let trials = studies.trials(&name).await?;
    Ok(Json(StudyTrials { schema_version: 1, study, trials }))
}

/// A request to begin a study.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginRequest {
    /// The search space: a grid or a space as an object, or the text of a file, JSON or TOML.
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
    /// Only check the request.
    #[serde(default)]
    dry_run: bool,
}

impl BeginRequest {
    fn into_study_request(self) -> StudyRequest {
        let text = match self.space {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let Self { kind, device, target, trials, sampler, pruner, samples, .. } = self;
        StudyRequest { file: "space".to_owned(), text, kind, device, target, trials, sampler, pruner, samples }
    }
}

/// A study that was begun or checked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BegunStudy {
    schema_version: u32,
    name: String,
    /// `waiting`, or `checked` for `dry_run`.
    state: &'static str,
    trials: u64,
    specification: Specification,
}

/// Begin a study: it is checked, created, and queued for this server's worker.
///
/// The request determines the name, so the same request resumes the same study.
#[utoipa::path(
    post,
    path = "/v1/studies",
    operation_id = "begin_study",
    tag = "studies",
    request_body = BeginRequest,
    responses(
        (status = 200, description = "The checked study, with `dry_run`", body = BegunStudy),
        (status = 201, description = "It waits for the worker", body = BegunStudy),
        (status = 400, description = "An option, a device or a number of trials that cannot be", body = ErrorBody<'_>),
        (status = 413, description = "Too many bytes", body = ErrorBody<'_>),
        (status = 422, description = "The body is malformed", body = ErrorBody<'_>),
        (status = 429, description = "Too many studies wait", body = ErrorBody<'_>)
    )
)]
pub(super) async fn begin_study(
    State(app): State<Arc<App>>,
    body: Body,
) -> Result<(StatusCode, Json<BegunStudy>), ApiError> {
    let request: BeginRequest = json::read(body, MOST_BYTES).await?;
    let dry_run = request.dry_run;
    let (_, checked) = app.studies.check(request.into_study_request()).await?;
    if !dry_run {
        app.studies.begin(&checked).await?;
    }
    let (status, state) = if dry_run { (StatusCode::OK, "checked") } else { (StatusCode::CREATED, "waiting") };
    let CheckedStudy { name, trials, specification } = checked;
    Ok((status, Json(BegunStudy { schema_version: 1, name, state, trials, specification })))
}

/// The state of a study after it was started or stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyState {
    schema_version: u32,
    name: String,
    /// `running`, `waiting`, `stopped`, `done`, or `running elsewhere`.
    state: &'static str,
    trials: u64,
    counts: Counts,
}

async fn state_of(app: &App, name: String) -> Result<Json<StudyState>, ApiError> {
    let progress = app.studies.database_of(&name).await?.progress(&name).await?;
    let state = app.studies.status().state(&name, &progress);
    Ok(Json(StudyState { schema_version: 1, name, state, trials: progress.trials, counts: progress.counts }))
}

/// Start or resume a study.
#[utoipa::path(
    post,
    path = "/v1/studies/{name}/start",
    operation_id = "start_study",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "It waits for the worker, unless it is done", body = StudyState),
        (status = 404, description = "There is no such study", body = ErrorBody<'_>),
        (status = 429, description = "Too many studies wait", body = ErrorBody<'_>)
    )
)]
pub(super) async fn start_study(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<StudyState>, ApiError> {
    app.studies.start(&name).await?;
    state_of(&app, name).await
}

/// Stop a study. Its claimed trials are released, and it can be started again.
#[utoipa::path(
    post,
    path = "/v1/studies/{name}/stop",
    operation_id = "stop_study",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "No further trial of it begins here", body = StudyState),
        (status = 404, description = "There is no such study", body = ErrorBody<'_>)
    )
)]
pub(super) async fn stop_study(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<StudyState>, ApiError> {
    app.studies.stop(&name).await?;
    state_of(&app, name).await
}

/// The progress of a study as server-sent events: as it is, and whenever it changes, until it is done.
///
/// Each event is named `study` and holds `{"event": "study", "id", "state", "done", "trials", "best"}`.
#[utoipa::path(
    get,
    path = "/v1/studies/{name}/events",
    operation_id = "follow_study",
    tag = "studies",
    params(("name" = String, Path, description = "The study")),
    responses(
        (status = 200, description = "A stream of events", content_type = "text/event-stream", body = Event),
        (status = 404, description = "There is no such study", body = ErrorBody<'_>)
    )
)]
pub(super) async fn follow_study(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    app.studies.database_of(&name).await?.study(&name).await?;
    Ok(sse::response_of(progress(&app.studies, &app.events, app.closing(), &name)))
}
