//! `/v1/models`.

use super::Deployed;
use crate::App;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `GET /v1/models` says.
#[derive(Debug, Serialize)]
pub(crate) struct List {
    schema_version: u32,
    generation: u64,
    default_device: Option<String>,
    devices: Vec<DeviceModels>,
}

/// The models of one device.
#[derive(Debug, Serialize)]
struct DeviceModels {
    device: String,
    digest: String,
    networks: Vec<String>,
    notes: Vec<String>,
    models: Vec<Summary>,
}

/// One model.
#[derive(Debug, Serialize)]
struct Summary {
    layer_kind: String,
    target: String,
    unit: String,
    model_kind: String,
    sha256: String,
    fitted_by: String,
    training_rows: usize,
    training_networks: Vec<String>,
    data_sha256: String,
    scores: serde_json::Value,
    notes: Vec<String>,
}

fn describe(set: &Deployed) -> DeviceModels {
    let models: BTreeMap<(String, String), Summary> = set
        .cards()
        .map(|card| {
            let (layer_kind, target) = (card.layer_kind.name().to_owned(), card.target.name().to_owned());
            let summary = Summary {
                layer_kind: layer_kind.clone(),
                target: target.clone(),
                unit: card.unit.clone(),
                model_kind: card.model_kind.clone(),
                sha256: card.onnx_sha256.clone(),
                fitted_by: format!("{} {}", card.program.name, card.program.version),
                training_rows: card.training_rows,
                training_networks: card.training_networks.clone(),
                data_sha256: card.data_sha256.clone(),
                scores: serde_json::to_value(&card.scores).unwrap_or_default(),
                notes: card.notes.clone(),
            };
            ((layer_kind, target), summary)
        })
        .collect();
    let device = set.models.device();
    DeviceModels {
        device: device.name.clone(),
        digest: set.digest.clone(),
        networks: device.networks.clone(),
        notes: device.notes.clone(),
        models: models.into_values().collect(),
    }
}

/// The models that answer now.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, description = "Devices, their models, figures and notes")))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<List> {
    let deployment = app.models.current();
    Json(List {
        schema_version: 1,
        generation: deployment.generation,
        default_device: deployment.default_device.clone(),
        devices: deployment.devices.values().map(|set| describe(set)).collect(),
    })
}
