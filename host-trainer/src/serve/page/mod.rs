//! The page for people: server-rendered, on the same routes and the same [`App`] as the API.

use super::App;
use axum::Router;
use std::sync::Arc;

/// The page's routes. They stand behind the same checks as the API's (`gate`): the paths `/login` and `/static/…` need no
/// token, other `GET`s the scope read, everything else the scope promote.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
}
