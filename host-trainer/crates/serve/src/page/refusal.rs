//! Refusals and failures as people meet them, where the same request from a script gets JSON.

use super::layout::{Frame, Tab, Visitor, page, sentence};
use super::sign_in;
use crate::error::ApiError;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use shared::failure::printable;

/// Whether a client is a person with a browser, who asks for a page.
pub(crate) fn wants_page(headers: &HeaderMap, path: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") && !path.starts_with("/v1/")
}

/// The page that tells of a refusal.
pub(crate) fn dress(error: &ApiError, uri: &Uri) -> Response {
    let stranger = error.status == StatusCode::UNAUTHORIZED;
    let visitor = if stranger { Visitor::Stranger } else { Visitor::Local };
    // What is deployed is told to those who may know.
    let frame = Frame { deployed: Vec::new(), visitor };
    let main = if stranger {
        let said =
            (error.code == "token_wrong").then_some("The token that this browser keeps is not known here any more.");
        let next = uri.path_and_query().map_or("/", |path| path.as_str());
        sign_in::form(next, said)
    } else {
        html! {
            h1 { (heading(error.status)) }
            div.note-box.error role="alert" {
                p.wrap { strong { (sentence(&printable(&error.message))) } }
                @if let Some(place) = &error.place { p { "Where: " (printable(place)) } }
                @if let Some(help) = &error.help { p.wrap { (sentence(&printable(help))) } }
            }
            p { a.button href="/" { "Start again" } }
        }
    };
    (error.status, page(&frame, Tab::None, heading(error.status), &main)).into_response()
}

fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Sign in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not here",
        StatusCode::METHOD_NOT_ALLOWED => "Not this way",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::REQUEST_TIMEOUT => "Took too long",
        StatusCode::TOO_MANY_REQUESTS => "Busy",
        StatusCode::CONFLICT => "Somebody was quicker",
        status if status.is_server_error() => "The server failed",
        _ => "This could not be done",
    }
}
