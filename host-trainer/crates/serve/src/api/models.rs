//! `GET /v1/models`.

use crate::app::App;
use crate::models::DeployedModels;
use axum::Json;
use axum::extract::State;
use learn::model::Scores;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// The deployed models.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelList {
    schema_version: u32,
    /// Counts the deployments of this process.
    generation: u64,
    /// The device of requests that name none.
    default_device: Option<String>,
    devices: Vec<DeviceModels>,
}

/// The models of one device.
#[derive(Debug, Serialize, ToSchema)]
struct DeviceModels {
    device: String,
    /// SHA-256 of the whole set of models.
    digest: String,
    /// Networks of the training data.
    networks: Vec<String>,
    notes: Vec<String>,
    models: Vec<ModelSummary>,
}

/// One model.
#[derive(Debug, Serialize, ToSchema)]
struct ModelSummary {
    layer_kind: String,
    target: String,
    unit: String,
    model_kind: String,
    /// SHA-256 of the graph.
    sha256: String,
    fitted_by: String,
    training_rows: usize,
    training_networks: Vec<String>,
    data_sha256: String,
    /// Metrics on training rows, held-out folds and test networks.
    scores: Scores,
    notes: Vec<String>,
}

fn describe(deployed: &DeployedModels) -> DeviceModels {
    let models: BTreeMap<(String, String), ModelSummary> = deployed
        .cards()
        .map(|card| {
            let (layer_kind, target) = (card.layer_kind.name().to_owned(), card.target.name().to_owned());
            let summary = ModelSummary {
                layer_kind: layer_kind.clone(),
                target: target.clone(),
                unit: card.unit.clone(),
                model_kind: card.model_kind.clone(),
                sha256: card.onnx_sha256.clone(),
                fitted_by: format!("{} {}", card.program.name, card.program.version),
                training_rows: card.training_rows,
                training_networks: card.training_networks.clone(),
                data_sha256: card.data_sha256.clone(),
                scores: card.scores.clone(),
                notes: card.notes.clone(),
            };
            ((layer_kind, target), summary)
        })
        .collect();
    let device = deployed.models.device();
    DeviceModels {
        device: device.name.clone(),
        digest: deployed.digest.clone(),
        networks: device.networks.clone(),
        notes: device.notes.clone(),
        models: models.into_values().collect(),
    }
}

/// The models that answer now.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "models",
    responses((status = 200, description = "Devices, their models, metrics and notes", body = ModelList))
)]
pub(super) async fn list_models(State(app): State<Arc<App>>) -> Json<ModelList> {
    let deployment = app.models.current();
    Json(ModelList {
        schema_version: 1,
        generation: deployment.generation,
        default_device: deployment.default_device.clone(),
        devices: deployment.devices.values().map(|deployed| describe(deployed)).collect(),
    })
}
