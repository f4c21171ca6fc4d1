//! The paths of the studies page.

use super::layout::{Tab, page};
use super::routes::{aside, frame};
use super::studies;
use crate::evaluate::Judged;
use crate::fit::kinds::Kind;
use crate::serve::App;
use crate::serve::access::Client;
use crate::serve::error::ApiError;
use crate::serve::studies::routes::refusal;
use crate::serve::studies::{Checked, Order};
use axum::extract::{Extension, Form, Multipart, Path, State};
use axum::response::Redirect;
use maud::Markup;
use serde::Deserialize;
use shared::failure::{Failure, Kind as FailureKind};
use std::sync::Arc;

/// Largest grid or space read, in bytes.
const FILE_BYTES: usize = 1 << 20;

/// `GET /studies`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let all = app.bench.studies().await.map_err(refusal)?;
    let mut rows = Vec::new();
    for study in all.list().await.map_err(refusal)? {
        let progress = all.progress(&study.name).await.map_err(refusal)?;
        rows.push((study, progress));
    }
    let main = studies::list(&rows, &app.bench.situation(), app.bench.has_data());
    Ok(page(&frame(&app, &client), Tab::Studies, "Studies", &main))
}

/// `GET /studies/{name}`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(name): Path<String>,
) -> Result<Markup, ApiError> {
    let all = app.bench.studies().await.map_err(refusal)?;
    let study = all.study(&name).await.map_err(refusal)?;
    let trials = all.trials(&name).await.map_err(refusal)?;
    let progress = all.progress(&name).await.map_err(refusal)?;
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
}

impl Sent {
    fn order(self) -> Result<Order, ApiError> {
        let known = |what: &str| ApiError::bad_request(format!("there is no such {what}"));
        let kind = match self.kind.as_str() {
            "" => None,
            name => Some(Kind::ALL.iter().copied().find(|k| k.name() == name).ok_or_else(|| known("model kind"))?),
        };
        let target = match self.target.as_str() {
            "" => None,
            name => {
                let all = [Judged::Runtime, Judged::Power, Judged::Energy];
                Some(all.into_iter().find(|t| t.name() == name).ok_or_else(|| known("target"))?)
            }
        };
        let trials = match self.trials.as_str() {
            "" => None,
            number => Some(number.parse().map_err(|_| known("number of trials"))?),
        };
        if self.text.trim().is_empty() {
            return Err(
                ApiError::bad_request("nothing was sent").help("choose a grid file, or write one, then press Check")
            );
        }
        let file = if self.file.is_empty() { "the grid".to_owned() } else { self.file };
        Ok(Order { file, text: self.text, kind, device: None, target, trials })
    }
}

async fn checked(app: &Arc<App>, order: Order) -> Result<(Order, Checked), ApiError> {
    aside(app, move |app| {
        let checked = order.check(&app.bench).map_err(told)?;
        Ok((order, checked))
    })
    .await
}

/// A failure with the file's name: whoever dropped it wants to know; paths of this machine are told to nobody.
fn told(failure: Failure) -> ApiError {
    let name = failure.path.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let usage = failure.kind == FailureKind::Usage;
    let error = ApiError::from(failure);
    match name.filter(|_| usage) {
        Some(name) => error.place(name),
        None => error,
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
            if content.len() + chunk.len() > FILE_BYTES {
                return Err(ApiError::too_large(format!("a grid has at most {FILE_BYTES} bytes")));
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
            _ => {}
        }
    }
    let (order, checked) = checked(&app, sent.order()?).await?;
    Ok(page(&frame(&app, &client), Tab::Studies, "Start a study", &studies::question(&order, &checked)))
}

/// `POST /studies/begin`: makes the study and puts it into the queue.
pub(super) async fn begin(State(app): State<Arc<App>>, Form(sent): Form<Sent>) -> Result<Redirect, ApiError> {
    let (_, checked) = checked(&app, sent.order()?).await?;
    let all = app.bench.studies().await.map_err(refusal)?;
    all.create(&checked.name, &checked.specification, checked.trials).await.map_err(refusal)?;
    app.bench.start(&checked.name)?;
    Ok(Redirect::to(&studies::link(&checked.name)))
}

/// `POST /studies/{name}/start`.
pub(super) async fn start(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    app.bench.studies().await.map_err(refusal)?.study(&name).await.map_err(refusal)?;
    app.bench.start(&name)?;
    Ok(Redirect::to(&studies::link(&name)))
}

/// `POST /studies/{name}/stop`.
pub(super) async fn stop(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Redirect, ApiError> {
    app.bench.studies().await.map_err(refusal)?.study(&name).await.map_err(refusal)?;
    app.bench.stop(&name)?;
    Ok(Redirect::to(&studies::link(&name)))
}
