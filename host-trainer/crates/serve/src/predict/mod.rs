//! Requests for predictions: read on the async side, predicted on the workers.

mod answer;
mod answered;
mod body;
mod budgets;
mod engines;
mod queue;
mod rows;
mod worker;

pub use answer::{Answer, Predicted};
pub use budgets::Budget;
pub(super) use queue::Queue;

use super::App;
use super::error::{ApiError, ErrorBody};
use answer::Format;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use learn::predict::{Prediction, RowPrediction};
use queue::{Reply, Want, Work};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// What a request for predictions may say in its query. What its body says counts more.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// The device [default: the default device].
    pub device: Option<String>,
    /// The optimisation profile of engines that have several.
    #[serde(default)]
    pub profile: usize,
    /// What to call the engine in the answer.
    pub name: Option<String>,
    /// Most run time, ms.
    pub budget_runtime_ms: Option<f64>,
    /// Most energy, mJ.
    pub budget_energy_mj: Option<f64>,
    /// Most mean power, W.
    pub budget_power_w: Option<f64>,
}

/// Predict engines, layer by layer.
///
/// The body is an engine info of any dialect, or a document of several:
/// `{"engines": [{"name": …, "engine_info": …, "profile": …}], "device": …, "profile": …, "budgets": {"runtime_ms": …}}`, where
/// an engine info is JSON or a text. `Accept: text/csv` asks for rows.
#[utoipa::path(
    post,
    path = "/v1/predict",
    tag = "predictions",
    params(Options),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Layers, totals, warnings, and the models that predicted", body = Prediction),
        (status = 413, description = "Too many bytes, layers or engines", body = ErrorBody),
        (status = 422, description = "No engine info, or a device without models", body = ErrorBody),
        (status = 429, description = "Too many requests wait; see Retry-After", body = ErrorBody)
    )
)]
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    options: Result<Query<Options>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let Query(options) = options.map_err(|e| ApiError::bad_request(e.body_text()).place("query"))?;
    respond(&app, &headers, body, |body| Want::Engines(body, options)).await
}

/// Predict rows of the features of one layer kind.
///
/// The body is `{"layer_kind": "convolutional", "device": …, "rows": [{"batch_size": 1, …, "precision": "fp16"}]}`; the columns
/// are those of the training tables.
#[utoipa::path(
    post,
    path = "/v1/rows",
    tag = "predictions",
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "A prediction a row, and the models that predicted", body = [RowPrediction]),
        (status = 422, description = "A row that is wrong, with its place", body = ErrorBody),
        (status = 429, description = "Too many requests wait; see Retry-After", body = ErrorBody)
    )
)]
pub(super) async fn rows(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    respond(&app, &headers, body, Want::Rows).await
}

async fn respond(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    want: impl FnOnce(Bytes) -> Want,
) -> Result<Response, ApiError> {
    let format = Format::accepted(headers)?;
    let (body, _room) = app.queue.room().read(headers, body, app.limits.body_bytes).await?;
    match app.queue.ask(Work { want: want(body), format: Some(format) }).await? {
        Reply::Written(written) => Ok(written.into_response()),
        Reply::Answer(_) => Err(ApiError::internal()),
    }
}

impl App {
    /// Predicts what a request's body holds, as `POST /v1/predict` does.
    ///
    /// # Errors
    /// A full queue, a body that holds no engine, a device without models.
    pub async fn predict(&self, body: Bytes, options: Options) -> Result<Answer, ApiError> {
        match self.queue.ask(Work { want: Want::Engines(body, options), format: None }).await? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Written(_) => Err(ApiError::internal()),
        }
    }
}
