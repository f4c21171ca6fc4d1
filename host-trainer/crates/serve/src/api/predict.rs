//! `POST /v1/predict` and `POST /v1/rows`.

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::predict::{
    BatchDocument, EngineDocument, PredictKind, PredictOptions, PredictResponse, ResponseFormat, RowsBody, RowsDocument,
};
use crate::query;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// The body of a request for predictions: an engine info of any dialect, or a document of several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body that is read without building it")]
pub(super) enum PredictBody {
    /// An engine info as TensorRT's engine inspector or `trtexec --exportLayerInfo` writes it.
    EngineInfo(BTreeMap<String, serde_json::Value>),
    /// Several engines.
    Several(EngineBatch),
}

/// Several engines in one document.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read without building it")]
pub(super) struct EngineBatch {
    /// The engines.
    engines: Vec<EngineBatchItem>,
    /// The device [default: that of the query].
    device: Option<String>,
    /// The optimisation profile of engines that name none.
    profile: Option<usize>,
    /// Budgets of each engine.
    budgets: Option<EngineBudgets>,
}

/// One engine of several.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read without building it")]
pub(super) struct EngineBatchItem {
    /// The engine's name in the response.
    name: Option<String>,
    /// The engine info: JSON, or a string that holds it in any dialect.
    #[schema(value_type = Value)]
    engine_info: serde_json::Value,
    /// The optimisation profile.
    profile: Option<usize>,
}

/// The most that an engine may take.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read without building it")]
pub(super) struct EngineBudgets {
    /// Run time, ms.
    runtime_ms: Option<f64>,
    /// Energy, mJ.
    energy_mj: Option<f64>,
    /// Mean power, W.
    power_w: Option<f64>,
}

/// The response to engines.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a response that is written from its parts")]
pub(super) enum PredictResult<'a> {
    /// To one engine info.
    Engine(EngineDocument<'a>),
    /// To a document of several engines.
    Several(BatchDocument<'a>),
}

/// Predict engines, layer by layer.
///
/// The body is an engine info of any dialect, or a document of several:
/// `{"engines": [{"name": …, "engine_info": …, "profile": …}], "device": …, "profile": …, "budgets": {"runtime_ms": …}}`, where
/// an engine info is JSON or a string. `Accept: text/csv` asks for rows.
#[utoipa::path(
    post,
    path = "/v1/predict",
    operation_id = "predict",
    tag = "predictions",
    params(PredictOptions),
    request_body(content((PredictBody = "application/json"), (String = "application/octet-stream")), description = "An engine info, several engines, or an ONNX graph"),
    responses(
        (
            status = 200,
            description = "Layers, totals, warnings, and the models that predicted",
            content((PredictResult<'_> = "application/json"), (String = "text/csv"))
        ),
        (status = 400, description = "A query that cannot be read, or a budget that is not positive", body = ErrorBody<'_>),
        (status = 406, description = "Neither JSON nor CSV is accepted", body = ErrorBody<'_>),
        (status = 413, description = "Too many bytes, layers or engines", body = ErrorBody<'_>),
        (status = 422, description = "No engine info, or a device without models", body = ErrorBody<'_>),
        (status = 429, description = "Too many requests wait; see Retry-After", body = ErrorBody<'_>)
    )
)]
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    options: Result<Query<PredictOptions>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<PredictResponse, ApiError> {
    respond(&app, &headers, body, PredictKind::Engines(query::read(options)?)).await
}

/// Predict rows of the features of one layer kind.
///
/// The body is `{"layer_kind": "convolutional", "device": …, "rows": [{"batch_size": 1, …, "precision": "fp16"}]}`; the columns
/// are those of the training tables.
#[utoipa::path(
    post,
    path = "/v1/rows",
    operation_id = "predict_rows",
    tag = "predictions",
    request_body = RowsBody,
    responses(
        (
            status = 200,
            description = "One prediction per row, and the models that predicted",
            content((RowsDocument<'_> = "application/json"), (String = "text/csv"))
        ),
        (status = 406, description = "Neither JSON nor CSV is accepted", body = ErrorBody<'_>),
        (status = 413, description = "Too many bytes or rows", body = ErrorBody<'_>),
        (status = 422, description = "A row that is wrong, with its place", body = ErrorBody<'_>),
        (status = 429, description = "Too many requests wait; see Retry-After", body = ErrorBody<'_>)
    )
)]
pub(super) async fn predict_rows(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<PredictResponse, ApiError> {
    respond(&app, &headers, body, PredictKind::Rows).await
}

async fn respond(app: &App, headers: &HeaderMap, body: Body, kind: PredictKind) -> Result<PredictResponse, ApiError> {
    let format = ResponseFormat::accepted(headers)?;
    app.predictor.predict(headers, body, kind, format).await
}
