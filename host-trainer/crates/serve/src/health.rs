//! Whether the server lives, and whether it can answer.

use super::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `/readyz` says.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    ready: bool,
    devices: BTreeMap<String, String>,
    /// Models that were found and refused, by device; the ones before them go on answering.
    refused: BTreeMap<String, String>,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, description = "It does")))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether models are loaded; which, and which were refused.
#[utoipa::path(get, path = "/readyz", tag = "server", responses((status = 200, description = "Ready"), (status = 503, description = "Not yet")))]
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Ready>) {
    let deployment = app.models.current();
    let ready = Ready {
        ready: !deployment.devices.is_empty(),
        devices: deployment.devices.iter().map(|(name, set)| (name.clone(), set.digest.clone())).collect(),
        refused: app.models.refused(),
    };
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready))
}
