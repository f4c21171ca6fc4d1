//! The handlers of the pages about studies.

use super::form_fields::{chosen, grid, number, read_form, word};
use super::frame::frame;
use super::layout::{Tab, page};
use super::studies_view::{self, TARGETS};
use super::study_view::{self, link};
use crate::access::Client;
use crate::app::App;
use crate::error::ApiError;
use crate::studies::{MOST_BYTES, StudyRequest};
use axum::extract::{Extension, Form, Multipart, Path, State};
use axum::response::Redirect;
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use maud::Markup;
use serde::Deserialize;
use std::sync::Arc;
use tune::pruner::Pruner;
use tune::sampler::Sampler;

/// `GET /studies`.
pub(super) async fn studies_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let rows = app.studies.list().await?;
    let devices: Vec<String> = app.models.current().devices.keys().cloned().collect();
    let main = studies_view::list(&rows, &app.studies.status(), app.studies.has_data(), &devices);
    Ok(page(&frame(&app, &client), Tab::Studies, "Studies", &main))
}

/// `GET /studies/{name}`.
pub(super) async fn study_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(name): Path<String>,
) -> Result<Markup, ApiError> {
    let all = app.studies.database_of(&name).await?;
    let study = all.study(&name).await?;
    let trials = all.trials(&name).await?;
    let progress = all.progress(&name).await?;
    let main = study_view::render(&study, &progress, &trials, &app.studies.status());
    Ok(page(&frame(&app, &client), Tab::Studies, &name, &main))
}

/// The fields of the forms that begin a study.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StudyForm {
    file: String,
    text: String,
    kind: String,
    target: String,
    trials: String,
    device: String,
    sampler: String,
    pruner: String,
    samples: String,
}

impl StudyForm {
    fn into_request(self) -> Result<StudyRequest, ApiError> {
        let (file, text) = grid(self.file, self.text)?;
        Ok(StudyRequest {
            kind: chosen("model kind", &self.kind, Kind::ALL, Kind::name)?,
            target: chosen("target", &self.target, &TARGETS, Measurand::name)?,
            sampler: chosen("sampler", &self.sampler, Sampler::ALL, Sampler::name)?,
            pruner: chosen("pruner", &self.pruner, Pruner::ALL, Pruner::name)?,
            trials: number("number of trials", &self.trials)?,
            samples: number("number of rows", &self.samples)?,
            device: word(&self.device),
            file,
            text,
        })
    }
}

/// `POST /studies`: checks a file and shows what it would begin.
pub(super) async fn check_study(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    multipart: Multipart,
) -> Result<Markup, ApiError> {
    let sent: StudyForm = read_form(multipart, MOST_BYTES).await?;
    let (request, checked) = app.studies.check(sent.into_request()?).await?;
    Ok(page(&frame(&app, &client), Tab::Studies, "Start a study", &studies_view::question(&request, &checked)))
}

/// `POST /studies/begin`: creates the study and queues it.
pub(super) async fn begin_study(
    State(app): State<Arc<App>>,
    Form(sent): Form<StudyForm>,
) -> Result<Redirect, ApiError> {
    let (_, checked) = app.studies.check(sent.into_request()?).await?;
    app.studies.begin(&checked).await?;
    Ok(Redirect::to(&link(&checked.name)))
}

/// `POST /studies/{name}/start`.
pub(super) async fn start_study(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    app.studies.start(&name).await?;
    Ok(Redirect::to(&link(&name)))
}

/// `POST /studies/{name}/stop`.
pub(super) async fn stop_study(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    app.studies.stop(&name).await?;
    Ok(Redirect::to(&link(&name)))
}
