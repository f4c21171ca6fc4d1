//! `GET /v1/openapi.json`: the description of the API.

use crate::routes::TOKEN_SCHEME;
use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The part of the document that belongs to no route.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "host-trainer",
        description = "Predictions of the power, run time and energy of a CNN on a device, layer by layer, and the models that make \
            them. Every error is `{\"error\": {\"code\", \"message\", \"place\", \"help\"}}`; codes are stable. Every response carries \
            `x-request-id`. The security requirement of an operation names the scope that a token needs; a server without tokens asks \
            for none."
    ),
    modifiers(&BearerToken)
)]
struct Base;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme(TOKEN_SCHEME, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// The document before any route is added.
pub(super) fn base() -> Document {
    Base::openapi()
}

/// The finished document as JSON.
#[derive(Debug, Clone, Default)]
pub(crate) struct ApiDocument(Bytes);

impl ApiDocument {
    /// The JSON of a document. Serialising it cannot fail: it holds only strings, numbers and lists.
    pub(crate) fn of(document: &Document) -> Self {
        Self(serde_json::to_vec(document).unwrap_or_default().into())
    }
}

/// The description of this API, an OpenAPI document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "get_document",
    tag = "server",
    responses((status = 200, description = "This document", body = Object))
)]
pub(super) async fn get_document(Extension(document): Extension<ApiDocument>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.0).into_response()
}
