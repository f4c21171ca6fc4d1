//! The handlers of the pages about batches.

use super::form_fields::{chosen, number, read_fields};
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

fn control(app: &App) -> Control<'_> {
    Control { batches: &app.batches, data: app.data.as_ref() }
}

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
    let main = batch_view::render(&told.batch, &told.status, &told.unfinished);
    Ok(page(&frame(&app, &client), Tab::Batches, &name, &main))
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
        if self.text.trim().is_empty() {
            return Err(
                ApiError::bad_request("nothing was sent").help("choose a grid file, or write one, then press Check")
            );
        }
        let device = self.device.trim();
        Ok(BatchRequest {
            kind: chosen("model kind", &self.kind, Kind::ALL, Kind::name)?,
            device: (!device.is_empty()).then(|| device.to_owned()),
            samples: number("number of rows", &self.samples)?,
            epochs: number("number of epochs", &self.epochs)?,
            repeats: number("number of repeats", &self.repeats)?,
            workers: number("number of workers", &self.workers)?,
            file: if self.file.is_empty() { "the grid".to_owned() } else { self.file },
            text: self.text,
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
    let mut sent = BatchForm::default();
    for (name, file, text) in read_fields(multipart, MOST_BYTES).await? {
        match name.as_str() {
            "file" if !text.trim().is_empty() => (sent.file, sent.text) = (file, text),
            "text" if !text.trim().is_empty() && sent.text.is_empty() => sent.text = text,
            "kind" => sent.kind = text,
            "data" => sent.data = text,
            "device" => sent.device = text,
            "samples" => sent.samples = text,
            "epochs" => sent.epochs = text,
            "repeats" => sent.repeats = text,
            "workers" => sent.workers = text,
            "description" => sent.description = text,
            _ => {}
        }
    }
    let request = sent.into_request()?;
    let checked = control(&app).check(&request).await?;
    Ok(page(&frame(&app, &client), Tab::Batches, "Start a batch", &batch_form::question(&request, &checked)))
}

/// `POST /batches/begin`: generates the batch and starts its workers.
pub(super) async fn begin_batch(
    State(app): State<Arc<App>>,
    Form(sent): Form<BatchForm>,
) -> Result<Redirect, ApiError> {
    let name = control(&app).begin(&sent.into_request()?).await?;
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
    control(&app).start(&name, number("number of workers", &sent.workers)?).await?;
    Ok(Redirect::to(&batches_view::link(&name)))
}

/// `POST /batches/{name}/stop`.
pub(super) async fn stop_workers(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    control(&app).stop(&name).await?;
    Ok(Redirect::to(&batches_view::link(&name)))
}
