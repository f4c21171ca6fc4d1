//! Errors as clients get them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::failure::{Failure, Kind, printable};
use utoipa::ToSchema;

/// An error as a client gets it: `{"error": {"code", "message", "place", "help"}}`. Codes are stable, messages are for people.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// A stable word for the error.
    pub(crate) code: &'static str,
    /// The error in a sentence.
    pub(crate) message: String,
    /// Where in the request: a member, a layer, a line.
    pub(crate) place: Option<String>,
    /// The next step.
    pub(crate) help: Option<String>,
    /// Seconds after which the same request may work.
    pub(crate) retry_after_s: Option<u64>,
}

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    error: ErrorParts<'a>,
}

/// The parts of an error, in the body of an error and inside responses to batches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorParts<'a> {
    /// A stable word for the error.
    code: &'static str,
    /// The error in a sentence.
    message: &'a str,
    /// Where in the request: a member, a layer, a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl ApiError {
    /// An error with a status, a stable code and a message.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), place: None, help: None, retry_after_s: None }
    }

    /// Names the place in the request.
    #[must_use]
    pub(crate) fn place(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Names the next step.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The request cannot be understood.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The request is well-formed, and its content is wrong.
    pub(crate) fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// Nothing of this name exists.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The request exceeds a limit.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The server is busy; the client may retry after some seconds.
    pub(crate) fn busy(code: &'static str, message: impl Into<String>, retry_after_s: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, code, message);
        Self { retry_after_s: Some(retry_after_s.max(1)), ..error }
    }

    /// The server failed. The reason goes to the log only.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed on this request")
            .help("the server's log says why, under this answer's x-request-id")
    }

    pub(crate) fn parts(&self) -> ErrorParts<'_> {
        ErrorParts { code: self.code, message: &self.message, place: self.place.as_deref(), help: self.help.as_deref() }
    }
}

/// A failure of the library on a client's input. Paths of this machine go to the log only.
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
