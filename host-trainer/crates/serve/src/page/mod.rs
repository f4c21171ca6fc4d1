//! The page for people: rendered here, on the same routes and the same [`App`] as the API.
//!
//! Every view is a function of values to markup, and every text from outside goes through maud, which escapes it. All of it
//! works without a script; `assets/page.js` spares round trips and lets pages follow the server's events. Nothing is loaded
//! from elsewhere.

mod assets;
mod compare;
mod engine;
mod layout;
mod model_routes;
mod models;
mod pairs;
mod pictures;
pub(super) mod refusal;
mod routes;
mod rows;
mod shelf;
mod sign_in;
mod studies;
mod study_routes;
#[cfg(test)]
mod tests;
mod upload;
mod upload_files;

pub(super) use routes::aside;

use super::App;
use super::settings::Settings;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use shared::failure::Failure;
use shelf::Shelf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What the page needs beside what the API has.
#[derive(Debug)]
pub(super) struct State {
    shelf: Shelf,
    /// Pages rendered at once that take a processor.
    work: Arc<Semaphore>,
}

impl State {
    /// Opens the engines kept.
    ///
    /// # Errors
    /// A folder that cannot be made or read.
    pub(super) fn open(settings: &Settings) -> Result<Self, Failure> {
        let shelf = Shelf::open(&settings.state.join("engines"))?;
        Ok(Self { shelf, work: Arc::new(Semaphore::new(settings.workers.max(1))) })
    }
}

/// The page's routes. They stand behind the same checks as the API's (`gate`): the paths `/login` and `/static/…` need no
/// token, other `GET`s the scope read, uploads of engines predict, everything else the scope promote.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(routes::start))
        // The upload counts what it reads.
        .route("/engines", post(routes::upload).layer(DefaultBodyLimit::disable()))
        .route("/engines/{file}", get(routes::engine))
        .route("/compare", get(routes::compare))
        .route("/models", get(model_routes::overview))
        .route("/models/{device}/{kind}/{target}", get(model_routes::alias))
        .route("/models/{device}/{kind}/{target}/promote", get(model_routes::ask_promote).post(model_routes::promote))
        .route(
            "/models/{device}/{kind}/{target}/rollback",
            get(model_routes::ask_rollback).post(model_routes::rollback),
        )
        .route("/studies", get(study_routes::list).post(study_routes::check))
        .route("/studies/begin", post(study_routes::begin))
        .route("/studies/{name}", get(study_routes::one))
        .route("/studies/{name}/start", post(study_routes::start))
        .route("/studies/{name}/stop", post(study_routes::stop))
        .route("/login", get(sign_in::ask).post(sign_in::sign_in))
        .route("/logout", post(sign_in::sign_out))
        .route("/static/{file}", get(routes::asset))
}
