//! `/v1/batches`.

use crate::app::App;
use crate::batch_control::{BatchRequest, Control, MOST_BYTES};
use crate::batch_progress::batch_progress;
use crate::batches::{LISTED_TASKS, state};
use crate::error::{ApiError, ErrorBody};
use crate::events::Event;
use crate::{json, query, sse};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use batch::Unfinished;
use batch::results::{TaskResult, ranked};
use batch::status::{Counts, Status, TaskStatus};
use learn::fit::kinds::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Results that one answer has unless the query says otherwise, and at most.
const RESULTS: (usize, usize) = (100, 1_000);

/// The batches of this server's folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchList {
    schema_version: u32,
    /// The last hundred, newest first, each as `batch show --format json` prints it, without what Slurm says.
    batches: Vec<Status>,
    /// Older ones, which are not listed.
    older: usize,
    /// What lies in the folder and cannot be read.
    unreadable: Vec<UnreadableBatch>,
}

/// A batch that cannot be read.
#[derive(Debug, Serialize, ToSchema)]
struct UnreadableBatch {
    /// The folder's name.
    name: String,
    /// Why.
    message: String,
}

/// Batches with where their tasks stand.
#[utoipa::path(
    get,
    path = "/v1/batches",
    operation_id = "list_batches",
    tag = "batches",
    responses(
        (status = 200, description = "Batches, newest first", body = BatchList),
        (status = 422, description = "Their folder cannot be listed", body = ErrorBody<'_>)
    )
)]
pub(super) async fn list_batches(State(app): State<Arc<App>>) -> Result<Json<BatchList>, ApiError> {
    let list = app.batches.list().await?;
    let (mut batches, mut unreadable) = (Vec::new(), Vec::new());
    for (name, standing) in list.batches {
        match standing.as_ref() {
            Ok(status) => batches.push(status.clone()),
            Err(failure) => unreadable.push(UnreadableBatch { name, message: failure.message.clone() }),
        }
    }
    for failure in list.wrong {
        let name = app.batches.name_in(&failure);
        unreadable.push(UnreadableBatch { name, message: failure.message });
    }
    Ok(Json(BatchList { schema_version: 1, batches, older: list.older, unreadable }))
}

/// A batch with the tasks that a person would look at.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchWithTasks {
    schema_version: u32,
    /// As `batch show --format json` prints it, without what Slurm says.
    batch: Status,
    /// Tasks that failed or were lost, with the reason; the first fifty.
    trouble: Vec<TaskStatus>,
    /// Tasks that run, with what their workers kept last; the first fifty.
    running: Vec<RunningTask>,
}

/// A task that runs.
#[derive(Debug, Serialize, ToSchema)]
struct RunningTask {
    /// `class.architecture`.
    label: String,
    #[serde(flatten)]
    kept: Unfinished,
}

/// One batch: its tasks by state and model, workers, tasks in trouble, the best scores, the seconds that are left.
#[utoipa::path(
    get,
    path = "/v1/batches/{name}",
    operation_id = "get_batch",
    tag = "batches",
    params(("name" = String, Path, description = "The batch")),
    responses(
        (status = 200, description = "The batch", body = BatchWithTasks),
        (status = 404, description = "There is no such batch", body = ErrorBody<'_>),
        (status = 422, description = "Its tasks cannot be read", body = ErrorBody<'_>)
    )
)]
pub(super) async fn get_batch(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<BatchWithTasks>, ApiError> {
    let told = app.batches.one(&name).await?;
    let trouble = told.trouble().take(LISTED_TASKS).cloned().collect();
    let running = told.running().take(LISTED_TASKS);
    let running = running.map(|(task, kept)| RunningTask { label: task.label.clone(), kept: kept.clone() }).collect();
    Ok(Json(BatchWithTasks { schema_version: 1, batch: told.status, trouble, running }))
}

/// Which results are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ResultsQuery {
    /// The model, as `CLASS.ARCHITECTURE` [default: all].
    model: Option<String>,
    /// Results to pass over, the best ones first [default: none].
    offset: Option<usize>,
    /// Results in the answer, 1 to 1,000 [default: 100].
    limit: Option<usize>,
}

/// Results of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultList {
    schema_version: u32,
    /// Results that the batch has of these models.
    total: usize,
    /// Some of them, the best first, each as `batch results --format json` prints it.
    results: Vec<TaskResult>,
}

/// Results of a batch, the best first, with the losses of every epoch.
#[utoipa::path(
    get,
    path = "/v1/batches/{name}/results",
    operation_id = "list_results",
    tag = "batches",
    params(("name" = String, Path, description = "The batch"), ResultsQuery),
    responses(
        (status = 200, description = "Results", body = ResultList),
        (status = 400, description = "A query that cannot be read, or a model that the batch does not have", body = ErrorBody<'_>),
        (status = 404, description = "There is no such batch", body = ErrorBody<'_>),
        (status = 422, description = "Its results cannot be read", body = ErrorBody<'_>)
    )
)]
pub(super) async fn list_results(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Result<Query<ResultsQuery>, QueryRejection>,
) -> Result<Json<ResultList>, ApiError> {
    let ResultsQuery { model, offset, limit } = query::read(query)?;
    let limit = limit.unwrap_or(RESULTS.0);
    if !(1..=RESULTS.1).contains(&limit) {
        return Err(ApiError::bad_request(format!("an answer has 1 to {} results", RESULTS.1)).place("limit"));
    }
    let told = app.batches.one(&name).await?;
    if let Some(model) = &model {
        let known = told.batch.check_labels(std::slice::from_ref(model));
        known.map_err(|failure| ApiError::bad_request(failure.message).place("model"))?;
    }
    let mut found = ranked(&told.status.results);
    found.retain(|result| model.as_ref().is_none_or(|model| result.label == *model));
    let results = found.iter().skip(offset.unwrap_or(0)).take(limit).map(|result| (*result).clone()).collect();
    Ok(Json(ResultList { schema_version: 1, total: found.len(), results }))
}

/// A request to begin a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginBatch {
    /// The grid: a value or a list of values for each option, as an object, or as the text of a file, JSON or TOML. Every combination
    /// becomes a task.
    grid: Value,
    /// The model kind [default: the one that all options are of].
    #[schema(value_type = Option<String>)]
    kind: Option<Kind>,
    /// The data set of a batch, as `BATCH/NAME` [default: the layers of this server, which `--data` names].
    data: Option<String>,
    /// The device of this server's layers [default: the only one].
    device: Option<String>,
    /// Rows used of each of this server's tables [default: all].
    samples: Option<usize>,
    /// Epochs, where the grid does not say.
    epochs: Option<u64>,
    /// How often each combination is trained, 1 to 1,000 [default: once].
    repeats: Option<u64>,
    /// Workers to start on this machine, 1 to 256 [default: one].
    workers: Option<u64>,
    /// What the batch is for.
    #[serde(default)]
    description: String,
    /// Only check the request.
    #[serde(default)]
    dry_run: bool,
}

impl BeginBatch {
    fn into_batch_request(self) -> BatchRequest {
        let text = match self.grid {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let Self { kind, data, device, samples, epochs, repeats, workers, description, .. } = self;
        let data = data.unwrap_or_default();
        BatchRequest {
            file: "grid".to_owned(),
            text,
            kind,
            data,
            device,
            samples,
            epochs,
            repeats,
            workers,
            description,
        }
    }
}

/// A batch that was begun or checked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BegunBatch {
    schema_version: u32,
    /// The batch's name; none with `dry_run`.
    name: Option<String>,
    /// `waiting`, or `checked` for `dry_run`.
    state: &'static str,
    tasks: u64,
    /// What the batch is made of, as a file for `batch generate --config`.
    configuration: String,
}

/// Begin a batch: a grid is checked, one task is tried, the batch is generated, and workers are started on this machine.
///
/// Each request makes a batch of its own. What does not fit into memory or on the disk is refused.
#[utoipa::path(
    post,
    path = "/v1/batches",
    operation_id = "begin_batch",
    tag = "batches",
    request_body = BeginBatch,
    responses(
        (status = 200, description = "The checked batch, with `dry_run`", body = BegunBatch),
        (status = 201, description = "Its workers were started", body = BegunBatch),
        (status = 400, description = "An option, a data set or a number that cannot be", body = ErrorBody<'_>),
        (status = 404, description = "There is no such batch to take data from", body = ErrorBody<'_>),
        (status = 413, description = "Too many bytes", body = ErrorBody<'_>),
        (status = 422, description = "The body is malformed, or the batch does not fit", body = ErrorBody<'_>)
    )
)]
pub(super) async fn begin_batch(
    State(app): State<Arc<App>>,
    body: Body,
) -> Result<(StatusCode, Json<BegunBatch>), ApiError> {
    let request: BeginBatch = json::read(body, MOST_BYTES).await?;
    let dry_run = request.dry_run;
    let request = request.into_batch_request();
    let (status, state, name, checked) = if dry_run {
        (StatusCode::OK, "checked", None, Control::of(&app).check(&request).await?)
    } else {
        let (name, checked) = Control::of(&app).begin(&request).await?;
        (StatusCode::CREATED, "waiting", Some(name), checked)
    };
    let begun =
        BegunBatch { schema_version: 1, name, state, tasks: checked.tasks, configuration: checked.configuration };
    Ok((status, Json(begun)))
}

/// How many workers are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WorkersQuery {
    /// Workers to start, 1 to 256 [default: one].
    workers: Option<u64>,
}

/// The state of a batch after its workers were started or stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchState {
    schema_version: u32,
    name: String,
    /// `running`, `waiting` (no worker has a task) or `done`.
    state: &'static str,
    counts: Counts,
    /// Workers that are registered. One that was started registers a moment later.
    workers: usize,
}

async fn state_of(app: &App, name: String) -> Result<Json<BatchState>, ApiError> {
    let Status { counts, workers, .. } = app.batches.standing(&name, Duration::ZERO).await?;
    Ok(Json(BatchState { schema_version: 1, name, state: state(&counts), counts, workers: workers.len() }))
}

/// Start workers of a batch, by the engine that it was generated for.
#[utoipa::path(
    post,
    path = "/v1/batches/{name}/start",
    operation_id = "start_workers",
    tag = "batches",
    params(("name" = String, Path, description = "The batch"), WorkersQuery),
    responses(
        (status = 200, description = "They were started", body = BatchState),
        (status = 400, description = "A number that cannot be", body = ErrorBody<'_>),
        (status = 404, description = "There is no such batch", body = ErrorBody<'_>),
        (status = 422, description = "The engine refuses", body = ErrorBody<'_>)
    )
)]
pub(super) async fn start_workers(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Result<Query<WorkersQuery>, QueryRejection>,
) -> Result<Json<BatchState>, ApiError> {
    let WorkersQuery { workers } = query::read(query)?;
    Control::of(&app).start(&name, workers).await?;
    state_of(&app, name).await
}

/// Stop the workers of a batch that were started. They keep where they are and hand their tasks back, and others can be started.
#[utoipa::path(
    post,
    path = "/v1/batches/{name}/stop",
    operation_id = "stop_workers",
    tag = "batches",
    params(("name" = String, Path, description = "The batch")),
    responses(
        (status = 200, description = "They were told to stop", body = BatchState),
        (status = 404, description = "There is no such batch", body = ErrorBody<'_>),
        (status = 422, description = "Workers that cannot be reached from here", body = ErrorBody<'_>)
    )
)]
pub(super) async fn stop_workers(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<BatchState>, ApiError> {
    Control::of(&app).stop(&name).await?;
    state_of(&app, name).await
}

/// The progress of a batch as server-sent events: as it is, and whenever it changes, until it is done.
///
/// Each event is named `batch` and holds `{"event": "batch", "id", "state", "counts", "workers", "best"}`.
#[utoipa::path(
    get,
    path = "/v1/batches/{name}/events",
    operation_id = "follow_batch",
    tag = "batches",
    params(("name" = String, Path, description = "The batch")),
    responses(
        (status = 200, description = "A stream of events", content_type = "text/event-stream", body = Event),
        (status = 404, description = "There is no such batch", body = ErrorBody<'_>),
        (status = 422, description = "Its tasks cannot be read", body = ErrorBody<'_>)
    )
)]
pub(super) async fn follow_batch(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(sse::response_of(batch_progress(Arc::clone(&app.batches), app.closing(), name).await?))
}
