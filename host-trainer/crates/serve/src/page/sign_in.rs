//! Signing in: a browser shows a token once, and keeps it in a cookie that no script can read and no other site sends.

use super::layout::{Tab, page};
use super::routes::frame;
use crate::App;
use crate::access::{COOKIE, Client};
use crate::error::ApiError;
use axum::extract::{Extension, Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct SignIn {
    token: String,
    #[serde(default)]
    next: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("next", &self.next).finish_non_exhaustive()
    }
}

/// A path of this server, whatever was asked for.
fn local(next: &str) -> &str {
    let plain = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if plain { next } else { "/" }
}

/// The form.
pub(super) fn form(next: &str, said: Option<&str>) -> Markup {
    html! {
        h1 { "Sign in" }
        p.muted { "This server asks for a token. Whoever started it has them." }
        @if let Some(said) = said { div.note-box.error role="alert" { p { (said) } } }
        form.card method="post" action="/login" {
            input type="hidden" name="next" value=(local(next));
            div.field {
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                span.hint { "It is kept in a cookie until the browser closes." }
            }
            button.primary type="submit" { "Sign in" }
        }
    }
}

/// `GET /login`.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Query(next): Query<Next>,
) -> Markup {
    page(&frame(&app, &client), Tab::None, "Sign in", &form(&next.next, None))
}

/// `POST /login`.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Form(sent): Form<SignIn>,
) -> Result<Response, ApiError> {
    let token = sent.token.trim();
    // What a cookie cannot hold.
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b));
    let known = app.access.sign_in(token, client.address);
    let said = match known {
        Ok(_) if fits => {
            let secure = if app.access.speaks_tls() { "; Secure" } else { "" };
            let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
            return Ok(([(header::SET_COOKIE, cookie)], Redirect::to(local(&sent.next))).into_response());
        }
        Ok(_) => "This token holds characters that a browser cannot keep; use another.".to_owned(),
        Err(error) if error.status == StatusCode::UNAUTHORIZED => "This token is not known here.".to_owned(),
        Err(error) => return Err(error),
    };
    let main = form(&sent.next, Some(&said));
    Ok((StatusCode::UNAUTHORIZED, page(&frame(&app, &client), Tab::None, "Sign in", &main)).into_response())
}

/// `POST /logout`.
pub(super) async fn sign_out() -> Response {
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(local("/models?x=1"), "/models?x=1");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "", "models", "/a\r\nb: c"] {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
