//! Signing in: a browser sends a token once and keeps it in a cookie that no script can read and no other site sends.

use super::frame::frame;
use super::layout::{Tab, page};
use super::sign_in_form::{local, sign_in_form};
use crate::access::{COOKIE, Client};
use crate::app::App;
use crate::error::ApiError;
use axum::extract::{Extension, Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use serde::Deserialize;
use std::sync::Arc;

/// The path to open afterwards.
#[derive(Debug, Default, Deserialize)]
pub(super) struct NextPath {
    #[serde(default)]
    next: String,
}

/// The fields of the form.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    token: String,
    #[serde(default)]
    next: String,
}

impl std::fmt::Debug for SignInForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInForm").field("next", &self.next).finish_non_exhaustive()
    }
}

/// `GET /login`.
pub(super) async fn sign_in_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Query(next): Query<NextPath>,
) -> Markup {
    page(&frame(&app, &client), Tab::None, "Sign in", &sign_in_form(&next.next, None))
}

/// `POST /login`.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Form(sent): Form<SignInForm>,
) -> Result<Response, ApiError> {
    let token = sent.token.trim();
    // A cookie cannot hold other characters.
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b));
    let known = app.access.sign_in(token, client.address);
    let problem = match known {
        Ok(_) if fits => {
            let secure = if app.access.speaks_tls() { "; Secure" } else { "" };
            let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
            return Ok(([(header::SET_COOKIE, cookie)], Redirect::to(local(&sent.next))).into_response());
        }
        Ok(_) => "This token holds characters that a browser cannot keep; use another.".to_owned(),
        Err(error) if error.status == StatusCode::UNAUTHORIZED => "This token is not known here.".to_owned(),
        Err(error) => return Err(error),
    };
    let main = sign_in_form(&sent.next, Some(&problem));
    Ok((StatusCode::UNAUTHORIZED, page(&frame(&app, &client), Tab::None, "Sign in", &main)).into_response())
}

/// `POST /logout`.
pub(super) async fn sign_out() -> Response {
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}
