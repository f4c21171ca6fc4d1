//! Requests for predictions: read on the async side, predicted on the workers.

mod answer;
mod queue;

pub use answer::{Answer, Predicted};
pub(super) use queue::Queue;

use super::App;
use super::error::ApiError;
use answer::Format;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use queue::Work;
use serde::Deserialize;
use std::sync::Arc;

/// What a request for predictions may say in its query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The device [default: the default device].
    pub device: Option<String>,
    /// The optimisation profile of engines that have several.
    #[serde(default)]
    pub profile: usize,
    /// What to call the engine in the answer.
    pub name: Option<String>,
}

/// `POST /v1/predict`.
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    options: Result<Query<Options>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let Query(options) = options.map_err(|e| ApiError::bad_request(e.body_text()).place("query"))?;
    let format = Format::accepted(&headers)?;
    let body = read_body(&app, &headers, body).await?;
    let answer = app.queue.ask(Work { body, options }).await?;
    answer.respond(format)
}

impl App {
    /// Predicts what a request's body holds, as `POST /v1/predict` does.
    ///
    /// # Errors
    /// A full queue, a body that holds no engine, a device without models.
    pub async fn predict(&self, body: Bytes, options: Options) -> Result<Answer, ApiError> {
        self.queue.ask(Work { body, options }).await
    }
}

/// A request's body, of at most the bytes that are read.
async fn read_body(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let limit = app.limits.body_bytes;
    let too_large = || ApiError::too_large(format!("the body is larger than the {limit} bytes that are read"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if declared.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    to_bytes(body, limit).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            if error.to_string().contains("length limit") {
                return too_large();
            }
            cause = error.source();
        }
        ApiError::bad_request("the body broke off")
    })
}
