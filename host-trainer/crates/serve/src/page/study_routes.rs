//! The paths of the studies page.

use super::layout::{Tab, page};
use super::routes::frame;
use super::studies;
use crate::App;
use crate::access::Client;
use crate::error::ApiError;
use crate::studies::routes::ORDER_BYTES;
use crate::studies::{Order, begin as begun, checked};
use axum::extract::{Extension, Form, Multipart, Path, State};
use axum::response::Redirect;
use learn::evaluate::Measurand;
use learn::fit::kinds::Kind;
use maud::Markup;
use serde::Deserialize;
use std::str::FromStr;
use std::sync::Arc;
use tune::pruner::Pruner;
use tune::sampler::Sampler;

/// `GET /studies`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let all = app.bench.studies().await?;
    let mut rows = Vec::new();
    for study in all.list().await? {
        let progress = all.progress(&study.name).await?;
        rows.push((study, progress));
    }
    let devices: Vec<String> = app.models.current().devices.keys().cloned().collect();
    let main = studies::list(&rows, &app.bench.situation(), app.bench.has_data(), &devices);
    Ok(page(&frame(&app, &client), Tab::Studies, "Studies", &main))
}

/// `GET /studies/{name}`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(name): Path<String>,
) -> Result<Markup, ApiError> {
    let all = app.bench.studies().await?;
    let study = all.study(&name).await?;
    let trials = all.trials(&name).await?;
    let progress = all.progress(&name).await?;
    let main = studies::study(&study, &progress, &trials, &app.bench.situation());
    Ok(page(&frame(&app, &client), Tab::Studies, &name, &main))
}

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    file: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    trials: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    sampler: String,
    #[serde(default)]
    pruner: String,
    #[serde(default)]
    samples: String,
}

/// What a study may be about.
pub(super) const TARGETS: [Measurand; 3] = [Measurand::Runtime, Measurand::Power, Measurand::Energy];

/// What a field of a form says, by its name; none where it is left empty.
fn chosen<T: Copy>(what: &str, said: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<Option<T>, ApiError> {
    if said.is_empty() {
        return Ok(None);
    }
    let known = all.iter().copied().find(|one| name(*one) == said);
    known.map(Some).ok_or_else(|| ApiError::bad_request(format!("there is no such {what}")))
}

/// The number in a field of a form; none where it is left empty.
fn number<T: FromStr>(what: &str, said: &str) -> Result<Option<T>, ApiError> {
    match said.trim() {
        "" => Ok(None),
        said => said.parse().map(Some).map_err(|_| ApiError::bad_request(format!("the {what} is no such number"))),
    }
}

impl Sent {
    fn order(self) -> Result<Order, ApiError> {
        if self.text.trim().is_empty() {
            return Err(
                ApiError::bad_request("nothing was sent").help("choose a grid file, or write one, then press Check")
            );
        }
        let device = self.device.trim();
        Ok(Order {
            kind: chosen("model kind", &self.kind, Kind::ALL, Kind::name)?,
            target: chosen("target", &self.target, &TARGETS, Measurand::name)?,
            sampler: chosen("sampler", &self.sampler, Sampler::ALL, Sampler::name)?,
            pruner: chosen("pruner", &self.pruner, Pruner::ALL, Pruner::name)?,
            trials: number("number of trials", &self.trials)?,
            samples: number("number of rows", &self.samples)?,
            device: (!device.is_empty()).then(|| device.to_owned()),
            file: if self.file.is_empty() { "the grid".to_owned() } else { self.file },
            text: self.text,
        })
    }
}

/// `POST /studies`: checks a file and tells what it would begin.
pub(super) async fn check(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    mut multipart: Multipart,
) -> Result<Markup, ApiError> {
    let broken = |_| ApiError::bad_request("the upload broke off, or is no form");
    let mut sent = Sent::default();
    while let Some(mut field) = multipart.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().unwrap_or_default().to_owned();
        let mut content = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if content.len() + chunk.len() > ORDER_BYTES {
                return Err(ApiError::too_large(format!("a grid has at most {ORDER_BYTES} bytes")));
            }
            content.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(content).map_err(|_| ApiError::bad_request("the file is no text"))?;
        match name.as_str() {
            "file" if !text.trim().is_empty() => (sent.file, sent.text) = (file, text),
            "text" if !text.trim().is_empty() && sent.text.is_empty() => sent.text = text,
            "kind" => sent.kind = text,
            "target" => sent.target = text,
            "trials" => sent.trials = text,
            "device" => sent.device = text,
            "sampler" => sent.sampler = text,
            "pruner" => sent.pruner = text,
            "samples" => sent.samples = text,
            _ => {}
        }
    }
    let (order, checked) = checked(&app, sent.order()?).await?;
    Ok(page(&frame(&app, &client), Tab::Studies, "Start a study", &studies::question(&order, &checked)))
}

/// `POST /studies/begin`: makes the study and puts it into the queue.
pub(super) async fn begin(State(app): State<Arc<App>>, Form(sent): Form<Sent>) -> Result<Redirect, ApiError> {
    let (_, checked) = checked(&app, sent.order()?).await?;
    begun(&app, &checked).await?;
    Ok(Redirect::to(&studies::link(&checked.name)))
}

/// `POST /studies/{name}/start`.
pub(super) async fn start(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    app.bench.studies().await?.study(&name).await?;
    app.bench.start(&name)?;
    Ok(Redirect::to(&studies::link(&name)))
}

/// `POST /studies/{name}/stop`.
pub(super) async fn stop(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    app.bench.studies().await?.study(&name).await?;
    app.bench.stop(&name)?;
    Ok(Redirect::to(&studies::link(&name)))
}
