//! What a client is told when something fails.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::failure::{Failure, Kind, printable};
use utoipa::ToSchema;

/// A refusal or failure as a client meets it: `{"error": {"code", "message", "place", "help"}}`. Codes are stable; messages
/// are for people.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// What happened, in one stable word.
    pub code: &'static str,
    /// What happened, in a sentence.
    pub message: String,
    /// Where in the request: a member, a layer, a line.
    pub place: Option<String>,
    /// The next step.
    pub help: Option<String>,
    /// Seconds after which the same request may work.
    pub retry_after_s: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody<'a> {
    error: Parts<'a>,
}

/// The parts of a refusal that a client is told, in JSON and inside answers to batches.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Parts<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl ApiError {
    /// A refusal of a status, a stable code and a message.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), place: None, help: None, retry_after_s: None }
    }

    /// Names the place in the request.
    #[must_use]
    pub fn place(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Names the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The request can be understood, and what it holds is wrong.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// More than a request may hold.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// Come back in a while.
    pub fn busy(code: &'static str, message: impl Into<String>, retry_after_s: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, code, message);
        Self { retry_after_s: Some(retry_after_s.max(1)), ..error }
    }

    /// Something on this side failed. What, is for the log; the client is told no more than that it did.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed on this request")
            .help("the server's log says why, under this answer's x-request-id")
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        Parts { code: self.code, message: &self.message, place: self.place.as_deref(), help: self.help.as_deref() }
    }
}

/// A failure of the library on what a client sent. Paths of this machine are no client's business; they go to the log.
impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let (status, code) = match failure.kind {
            Kind::Usage => (StatusCode::BAD_REQUEST, "bad_request"),
            Kind::Data | Kind::AnswerIsNo => (StatusCode::UNPROCESSABLE_ENTITY, "bad_data"),
            Kind::Device | Kind::Io | Kind::Interrupted => {
                tracing::error!(error = %failure, "a request failed");
                return Self::internal();
            }
        };
        Self {
            status,
            code,
            message: printable(&failure.message),
            place: failure.place.as_deref().map(printable),
            help: failure.help.as_deref().map(printable),
            retry_after_s: None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.parts() })).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
