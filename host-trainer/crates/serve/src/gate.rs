//! The middleware around every route: access, time limit, metrics, log, security headers.

use super::app::App;
use super::error::ApiError;
use super::page::error_page;
use super::routes::AccessTable;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::failure::printable;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The header that carries a request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

/// Headers of every response. Pages load only from this server, run nothing inline, and cannot be framed.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Other sites get no referrer. Our own forms do, since the origin of a form is checked.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The id of a request, for its log line and its response.
#[derive(Debug, Clone)]
struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own id where it is short and plain, otherwise a new one.
    fn of(headers: &HeaderMap) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let plain = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            (1..=LONGEST_ID).contains(&bytes.len())
                && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        };
        Self(match headers.get(&REQUEST_ID).filter(plain) {
            Some(given) => given.clone(),
            None => HeaderValue::from(NEXT.fetch_add(1, Ordering::Relaxed)),
        })
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What the gate needs: the server's state and the access that each route requires.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) app: Arc<App>,
    pub(super) access: AccessTable,
}

/// The middleware around every route.
pub(super) async fn gate(
    State(gate): State<Arc<Gate>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let (app, started) = (&gate.app, Instant::now());
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let uri = request.uri().clone();
    let wants_page = error_page::is_wanted(request.headers(), uri.path());
    // A path without a route is not a label: clients could invent any number of them.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let access = gate.access.get(route.as_ref().map(MatchedPath::as_str), &method);
    let mut response = match app.access.check(access, &method, request.uri(), request.headers(), peer) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            match tokio::time::timeout(app.limits.request_time, next.run(request)).await {
                Ok(response) => response,
                Err(_) => {
                    ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took too long").into_response()
                }
            }
        }
        Err(refused) => refused.into_response(),
    };
    if wants_page && let Some(error) = response.extensions().get::<ApiError>().cloned() {
        response = error_page::render(&error, &uri);
        response.extensions_mut().insert(error);
    }
    let status = response.status();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    app.metrics.count_response(method.as_str(), route, status.as_u16(), started.elapsed());
    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
    let reason = response.extensions_mut().remove::<ApiError>().map(|error| (error.code, error.message));
    // Messages may quote what a client sent.
    let (code, message) = reason.map(|(code, message)| (code, printable(&message))).unwrap_or_default();
    let peer = peer.ip();
    if status.is_server_error() {
        tracing::error!(id = id.text(), %peer, %method, route, status = status.as_u16(), code, message, milliseconds, "failed");
    } else if status.is_client_error() {
        tracing::warn!(id = id.text(), %peer, %method, route, status = status.as_u16(), code, message, milliseconds, "refused");
    } else {
        tracing::debug!(id = id.text(), %peer, %method, route, status = status.as_u16(), milliseconds, "answered");
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.0);
    for (name, value) in HEADERS {
        // A route may set its own: files that never change may be cached.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
