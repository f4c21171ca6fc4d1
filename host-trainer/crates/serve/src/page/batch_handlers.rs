//! The handlers of the pages about batches.

use super::form_fields::{chosen, grid, number, read_form, word};
use super::frame::frame;
use super::layout::{Tab, page};
use super::{batch_form, batch_view, batches_view};
use crate::access::Client;
use crate::app::App;
use crate::batch_control::{BatchRequest, Control, MOST_BYTES};
use crate::error::ApiError;
use axum::extract::{Extension, Form, Multipart, Path, State};
use axum::response::Redirect;
use learn::fit::kinds::Kind;
use maud::Markup;
use serde::Deserialize;
use std::sync::Arc;

/// `GET /batches`.
pub(super) async fn batches_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let datasets = app.batches.datasets().await?;
    let main = batches_view::render(&app.batches.list().await?, &batch_form::form(app.data.is_some(), &datasets));
    Ok(page(&frame(&app, &client), Tab::Batches, "Batches", &main))
}

/// `GET /batches/{name}`.
pub(super) async fn batch_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(name): Path<String>,
) -> Result<Markup, ApiError> {
    let told = app.batches.one(&name).await?;
    Ok(page(&frame(&app, &client), Tab::Batches, &name, &batch_view::render(&told)))
}

/// The fields of the forms that begin a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BatchForm {
    file: String,
    text: String,
    kind: String,
    data: String,
    device: String,
    samples: String,
    epochs: String,
    repeats: String,
    workers: String,
    description: String,
}

impl BatchForm {
    fn into_request(self) -> Result<BatchRequest, ApiError> {
        let (file, text) = grid(self.file, self.text)?;
        Ok(BatchRequest {
            kind: chosen("model kind", &self.kind, Kind::ALL, Kind::name)?,
            device: word(&self.device),
            samples: number("number of rows", &self.samples)?,
            epochs: number("number of epochs", &self.epochs)?,
            repeats: number("number of repeats", &self.repeats)?,
            workers: number("number of workers", &self.workers)?,
            file,
            text,
            data: self.data,
            description: self.description,
        })
    }
}

/// `POST /batches`: checks a grid and shows the batch that it would become.
pub(super) async fn check_batch(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    multipart: Multipart,
) -> Result<Markup, ApiError> {
    let request = read_form::<BatchForm>(multipart, MOST_BYTES).await?.into_request()?;
    let checked = Control::of(&app).check(&request).await?;
    Ok(page(&frame(&app, &client), Tab::Batches, "Start a batch", &batch_form::question(&request, &checked)))
}

/// `POST /batches/begin`: generates the batch and starts its workers.
pub(super) async fn begin_batch(
    State(app): State<Arc<App>>,
    Form(sent): Form<BatchForm>,
) -> Result<Redirect, ApiError> {
    let (name, _) = Control::of(&app).begin(&sent.into_request()?).await?;
    Ok(Redirect::to(&batches_view::link(&name)))
}

/// How many workers are started.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkersForm {
    workers: String,
}

/// `POST /batches/{name}/start`.
pub(super) async fn start_workers(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Form(sent): Form<WorkersForm>,
) -> Result<Redirect, ApiError> {
    Control::of(&app).start(&name, number("number of workers", &sent.workers)?).await?;
    Ok(Redirect::to(&batches_view::link(&name)))
}

/// `POST /batches/{name}/stop`.
pub(super) async fn stop_workers(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    Control::of(&app).stop(&name).await?;
    Ok(Redirect::to(&batches_view::link(&name)))
}
