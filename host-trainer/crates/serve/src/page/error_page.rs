//! Errors as pages, for browsers. A program that sends the same request gets JSON.

use super::layout::{Frame, Tab, Visitor, page, sentence};
use super::sign_in_form::sign_in_form;
use crate::error::ApiError;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::html;
use shared::failure::printable;

/// Whether a client asks for a page: a browser, on any path but the API's.
pub(crate) fn is_wanted(headers: &HeaderMap, path: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") && !path.starts_with("/v1/")
}

/// The page of an error.
pub(crate) fn render(error: &ApiError, uri: &Uri) -> Response {
    let stranger = error.status == StatusCode::UNAUTHORIZED;
    let visitor = if stranger { Visitor::Stranger } else { Visitor::Local };
    // The deployed models are for clients with a token.
    let frame = Frame { deployed: Vec::new(), visitor };
    let main = if stranger {
        let problem =
            (error.code == "token_wrong").then_some("The token that this browser keeps is not known here any more.");
        let next = uri.path_and_query().map_or("/", |path| path.as_str());
        sign_in_form(next, problem)
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
