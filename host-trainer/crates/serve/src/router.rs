//! Which path leads where.

use super::error::ApiError;
use super::{App, events, gate, health, metrics, models, openapi, page, predict, studies};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// All routes, behind the gate.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/predict", post(predict::predict))
        .route("/v1/rows", post(predict::rows))
        .route("/v1/models", get(models::routes::list))
        .route("/v1/models/registered", get(models::store::registered))
        .route("/v1/models/history", get(models::store::history))
        .route("/v1/models/promote", post(models::store::promote))
        .route("/v1/models/rollback", post(models::store::rollback))
        .route("/v1/studies", get(studies::routes::list).post(studies::routes::begin))
        .route("/v1/studies/{name}", get(studies::routes::one))
        .route("/v1/studies/{name}/start", post(studies::routes::start))
        .route("/v1/studies/{name}/stop", post(studies::routes::stop))
        .route("/v1/studies/{name}/events", get(studies::routes::events))
        .route("/v1/events", get(events::events))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .merge(page::router())
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), gate::gate))
        .with_state(app)
}

async fn no_such_path() -> ApiError {
    ApiError::not_found("there is nothing at this path").help("GET /v1/openapi.json lists what there is")
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this path does not answer that method")
        .help("GET /v1/openapi.json lists what there is")
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::internal().into_response()
}
