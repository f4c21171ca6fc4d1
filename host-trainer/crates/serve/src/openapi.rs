//! `GET /v1/openapi.json`: what the API takes and gives. A test holds it beside the routes.

use super::error::ErrorBody;
use super::{events, health, metrics, models, predict, studies};
use axum::Json;
use learn::predict::{Bounds, LayerPrediction, Prediction, RowPrediction, Source, Totals};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "host-trainer",
        description = "Predictions of what a CNN costs on a device, layer by layer, and the models that make them. Every refusal \
            is `{\"error\": {\"code\", \"message\", \"place\", \"help\"}}`; codes are stable. Every answer carries `x-request-id`."
    ),
    paths(
        predict::predict,
        predict::rows,
        models::routes::list,
        models::store::registered,
        models::store::history,
        models::store::promote,
        models::store::rollback,
        studies::routes::list,
        studies::routes::begin,
        studies::routes::one,
        studies::routes::start,
        studies::routes::stop,
        studies::routes::events,
        events::events,
        health::alive,
        health::ready,
        metrics::metrics,
        document
    ),
    components(schemas(ErrorBody, Prediction, LayerPrediction, Totals, Bounds, Source, RowPrediction)),
    modifiers(&Bearer),
    security(("token" = []))
)]
struct Api;

/// Tokens, where the server asks for them.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// `GET /v1/openapi.json`.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "server", responses((status = 200, description = "This document")))]
pub(super) async fn document() -> Json<Document> {
    Json(Api::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::Options;
    use utoipa::IntoParams;

    #[test]
    fn the_document_describes_every_route_of_the_api() {
        let document = serde_json::to_value(Api::openapi()).expect("JSON");
        let described: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
        let source = include_str!("router.rs");
        let routes: Vec<&str> = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(routes.len() > 8);
        for route in &routes {
            assert!(described.iter().any(|path| path == route), "{route} is not described");
        }
        assert_eq!(described.len(), routes.len(), "{described:?}");
        for (path, method) in [
            ("/v1/studies", "get"),
            ("/v1/studies", "post"),
            ("/v1/studies/{name}/start", "post"),
            ("/v1/studies/{name}/stop", "post"),
            ("/v1/studies/{name}/events", "get"),
        ] {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
        assert!(!Options::into_params(|| None).is_empty());
        assert!(document["components"]["schemas"]["LayerPrediction"]["properties"]["runtime_prediction"].is_object());
    }
}
