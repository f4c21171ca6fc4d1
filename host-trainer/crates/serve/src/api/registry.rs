//! `/v1/models/registered`, `/v1/models/history`, `/v1/models/promote` and `/v1/models/rollback`: models of a store.

use crate::access::Client;
use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::json;
use crate::models::{DeploymentChange, NumberedPromotion, PromoteRequest, RollbackRequest, registry_error};
use crate::query;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use registry::Listed;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Most bytes of a request to change a deployment.
const BODY_BYTES: usize = 64 << 10;

/// The query of the lists.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeviceQuery {
    /// The device [default: all].
    device: Option<String>,
}

impl DeviceQuery {
    fn device(query: Result<Query<Self>, QueryRejection>) -> Result<Option<String>, ApiError> {
        let Self { device } = query::read(query)?;
        if let Some(device) = &device {
            learn::model::check_device_name(device).map_err(|f| ApiError::bad_request(f.message).place("device"))?;
        }
        Ok(device)
    }
}

/// The registered models.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegisteredModels {
    schema_version: u32,
    /// Every version with its status.
    models: Vec<Listed>,
}

/// The audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PromotionHistory {
    schema_version: u32,
    /// Every promotion and rollback, oldest first.
    entries: Vec<NumberedPromotion>,
}

/// Every registered model and whether it is deployed, former, declined or a candidate.
#[utoipa::path(
    get,
    path = "/v1/models/registered",
    operation_id = "list_registered_models",
    tag = "models",
    params(DeviceQuery),
    responses(
        (status = 200, description = "The models", body = RegisteredModels),
        (status = 400, description = "A query that cannot be read", body = ErrorBody<'_>),
        (status = 409, description = "The models come from a folder", body = ErrorBody<'_>)
    )
)]
pub(super) async fn list_registered_models(
    State(app): State<Arc<App>>,
    query: Result<Query<DeviceQuery>, QueryRejection>,
) -> Result<Json<RegisteredModels>, ApiError> {
    let device = DeviceQuery::device(query)?;
    let models = app.models.require_registry()?.list(device.as_deref()).await.map_err(registry_error)?;
    Ok(Json(RegisteredModels { schema_version: 1, models }))
}

/// Every promotion and rollback: who, when, why, by which figures.
#[utoipa::path(
    get,
    path = "/v1/models/history",
    operation_id = "list_promotions",
    tag = "models",
    params(DeviceQuery),
    responses(
        (status = 200, description = "The audit trail, oldest first", body = PromotionHistory),
        (status = 400, description = "A query that cannot be read", body = ErrorBody<'_>),
        (status = 409, description = "The models come from a folder", body = ErrorBody<'_>)
    )
)]
pub(super) async fn list_promotions(
    State(app): State<Arc<App>>,
    query: Result<Query<DeviceQuery>, QueryRejection>,
) -> Result<Json<PromotionHistory>, ApiError> {
    let device = DeviceQuery::device(query)?;
    let entries = app.models.require_registry()?.history(device.as_deref()).await.map_err(registry_error)?;
    Ok(Json(PromotionHistory { schema_version: 1, entries: entries.into_iter().map(Into::into).collect() }))
}

/// Promote a model. Returns once it answers requests.
#[utoipa::path(
    post,
    path = "/v1/models/promote",
    operation_id = "promote_model",
    tag = "models",
    request_body = PromoteRequest,
    responses(
        (status = 200, description = "It is deployed", body = DeploymentChange),
        (status = 400, description = "A malformed name or reason", body = ErrorBody<'_>),
        (status = 404, description = "There is no such model", body = ErrorBody<'_>),
        (
            status = 409,
            description = "It is not better than the one deployed, or the models come from a folder",
            body = ErrorBody<'_>
        ),
        (status = 422, description = "It fails a check, or the body is malformed", body = ErrorBody<'_>)
    )
)]
pub(super) async fn promote_model(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    body: Body,
) -> Result<Json<DeploymentChange>, ApiError> {
    let request: PromoteRequest = json::read(body, BODY_BYTES).await?;
    app.models.promote(&client, request).await.map(Json)
}

/// Roll back the deployed model of an alias. Returns once the former model answers requests.
#[utoipa::path(
    post,
    path = "/v1/models/rollback",
    operation_id = "rollback_model",
    tag = "models",
    request_body = RollbackRequest,
    responses(
        (status = 200, description = "It was rolled back", body = DeploymentChange),
        (status = 400, description = "A malformed name or reason", body = ErrorBody<'_>),
        (
            status = 409,
            description = "There is no former model, or the models come from a folder",
            body = ErrorBody<'_>
        ),
        (status = 422, description = "The body is malformed", body = ErrorBody<'_>)
    )
)]
pub(super) async fn rollback_model(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    body: Body,
) -> Result<Json<DeploymentChange>, ApiError> {
    let request: RollbackRequest = json::read(body, BODY_BYTES).await?;
    app.models.rollback(&client, request).await.map(Json)
}
