//! `GET /healthz`, `/readyz` and `/metrics`.

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::metrics::MetricsFormat;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Whether the server can predict.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether any device has models.
    ready: bool,
    /// SHA-256 of the models of each device.
    devices: BTreeMap<String, String>,
    /// Why the newest models of a device were refused, by device. The models before them continue to answer.
    refused: BTreeMap<String, String>,
}

/// Whether the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "server",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String))
)]
pub(super) async fn get_health() -> &'static str {
    "ok\n"
}

/// Whether models are loaded; which, and which were refused.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "server",
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not yet", body = Readiness)
    )
)]
pub(super) async fn get_readiness(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let deployment = app.models.current();
    let readiness = Readiness {
        ready: !deployment.devices.is_empty(),
        devices: deployment.devices.iter().map(|(name, models)| (name.clone(), models.digest.clone())).collect(),
        refused: app.models.refused(),
    };
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Metrics for Prometheus, in its text format 0.0.4 unless `Accept` prefers OpenMetrics 1.0.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "server",
    responses(
        (
            status = 200,
            description = "The metrics",
            content((String = "text/plain"), (String = "application/openmetrics-text"))
        ),
        (status = 406, description = "Neither format is accepted", body = ErrorBody<'_>),
        (status = 500, description = "The metrics cannot be written", body = ErrorBody<'_>)
    )
)]
pub(super) async fn get_metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let format = MetricsFormat::accepted(&headers)?;
    let text = app.metrics.encode(format).map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")], text).into_response())
}
