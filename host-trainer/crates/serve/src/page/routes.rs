//! The page's paths.

use super::compare::{self, Side};
use super::engine::{self, View};
use super::layout::{Frame, Tab, Visitor, page, query};
use super::shelf::Shelved;
use super::upload::{self, Kept};
use super::{assets, upload_files};
use crate::App;
use crate::access::Client;
use crate::error::ApiError;
use crate::models::Deployment;
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use learn::predict::{CSV_HEADER, Document, Prediction, SCHEMA_VERSION, csv_record};
use maud::{Markup, html};
use serde::Serialize;
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use store::Digest;

/// Engines that the start page and the choosers list.
const LISTED: usize = 20;

/// What the frame of a page tells this client.
pub(super) fn frame(app: &App, client: &Client) -> Frame {
    let deployed = app.models.current().devices.iter().map(|(name, set)| (name.clone(), set.digest.clone())).collect();
    Frame { deployed, visitor: visitor(client) }
}

fn visitor(client: &Client) -> Visitor {
    match client.name.as_str() {
        "local" => Visitor::Local,
        "anybody" => Visitor::Stranger,
        name => Visitor::Known(name.to_owned()),
    }
}

fn kept(app: &App) -> Vec<Kept> {
    let entries = app.page.shelf.latest(LISTED).into_iter();
    entries.map(|e| Kept { id: e.id.to_string(), name: e.name, layers: e.layers }).collect()
}

/// Work that takes a processor or a disk, off the threads that serve connections; so much of it at once, no more.
pub(crate) async fn aside<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let busy = || ApiError::busy("busy", "the server is busy with other pages", 1);
    let permit = app.page.work.clone().acquire_owned().await.map_err(|_| busy())?;
    let app = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&app)
    });
    done.await.unwrap_or_else(|_| Err(ApiError::internal()))
}

/// `GET /`.
pub(super) async fn start(State(app): State<Arc<App>>, Extension(client): Extension<Client>) -> Markup {
    let device = app.models.current().default_device.clone();
    page(&frame(&app, &client), Tab::Predict, "Predict", &upload::start(&kept(&app), device.as_deref()))
}

/// `POST /engines`: files, a text, or the name of a sample; leads to the result.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    multipart: axum::extract::Multipart,
) -> Result<Redirect, ApiError> {
    let upload = upload_files::read(&app, multipart).await?;
    let (against, device) = (upload.against.clone(), upload.device.clone());
    let ids = aside(&app, move |app| {
        let most = app.limits.layers;
        let mut ids = Vec::new();
        for (name, content) in &upload.files {
            let shelved = app.page.shelf.put(name, content).map_err(told)?;
            if shelved.engine.layers.len() > most {
                return Err(ApiError::too_large(format!("there are more than the {most} layers that are predicted")));
            }
            ids.push(shelved.id.to_string());
        }
        Ok(ids)
    })
    .await?;
    let device = device.unwrap_or_default();
    let to = match (against.as_ref(), ids.as_slice()) {
        (Some(first), [second, ..]) | (None, [first, second, ..]) => {
            format!("/compare?{}", query(&[("a", first), ("b", second), ("device", &device)]))
        }
        (_, [id, ..]) => format!("/engines/{id}?{}", query(&[("device", &device)])),
        (_, []) => {
            return Err(ApiError::bad_request("nothing was sent")
                .help("choose an engine-info file, or paste its text, then press Predict"));
        }
    };
    Ok(Redirect::to(to.trim_end_matches('?')))
}

/// A failure on what somebody uploaded, with the name it came under: a person sent it, and wants to know which it was.
fn told(failure: Failure) -> ApiError {
    let name = failure.path.as_ref().map(|path| path.display().to_string());
    let known = failure.kind == shared::failure::Kind::Data;
    let error = ApiError::from(failure);
    let Some(name) = name.filter(|_| known) else { return error };
    let place = match &error.place {
        Some(place) => format!("{name}, {place}"),
        None => name,
    };
    error.place(place)
}

/// The kept engine of an id.
fn kept_engine(app: &App, id: &str) -> Result<Arc<Shelved>, ApiError> {
    let gone = || {
        ApiError::not_found("this engine is not kept here")
            .help("the server keeps the engines looked at last; drop the file again and the same link opens it")
    };
    let id = Digest::from_str(id).map_err(|_| gone())?;
    app.page.shelf.get(id)?.ok_or_else(gone)
}

fn predict(
    deployment: &Deployment,
    shelved: &Shelved,
    device: Option<&str>,
    profile: usize,
) -> Result<Prediction, ApiError> {
    Ok(deployment.of(device)?.models.predict(&shelved.engine, &shelved.diagnostics, profile)?)
}

/// `GET /engines/{id}`, `GET /engines/{id}.csv`, `GET /engines/{id}.json`.
pub(super) async fn engine(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(file): Path<String>,
    choice: Result<Query<engine::Choice>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(choice) = choice.map_err(|e| ApiError::bad_request(e.body_text()).place("query"))?;
    let frame = frame(&app, &client);
    aside(&app, move |app| {
        let (id, extension) = file.split_once('.').unwrap_or((&file, ""));
        let shelved = kept_engine(app, id)?;
        let deployment = app.models.current();
        match extension {
            "" => Ok(show(&frame, &deployment, &shelved, &choice)?.into_response()),
            "csv" | "json" => download(&deployment, &shelved, &choice, extension),
            _ => Err(ApiError::not_found("results can be had as .csv and .json")),
        }
    })
    .await
}

fn show(
    frame: &Frame,
    deployment: &Deployment,
    shelved: &Shelved,
    choice: &engine::Choice,
) -> Result<Markup, ApiError> {
    let prediction = predict(deployment, shelved, choice.device.as_deref(), choice.profile)?;
    let devices: Vec<_> = deployment
        .devices
        .keys()
        .map(|name| {
            let totals = if *name == prediction.device {
                Ok(prediction.totals.clone())
            } else {
                predict(deployment, shelved, Some(name), choice.profile).map(|p| p.totals).map_err(|e| e.message)
            };
            (name.clone(), totals)
        })
        .collect();
    let set = deployment.of(Some(&prediction.device))?;
    let id = shelved.id.to_string();
    let view = View {
        id: &id,
        name: &shelved.name,
        engine: &shelved.engine,
        diagnostics: &shelved.diagnostics,
        prediction: &prediction,
        roofline: set.models.device().roofline.as_ref(),
        devices: &devices,
        choice,
    };
    Ok(page(frame, Tab::Predict, &shelved.name, &view.render()))
}

/// A downloaded result: the command's document, and which models answered.
#[derive(Serialize)]
struct Downloaded<'a> {
    #[serde(flatten)]
    document: Document<'a>,
    engine_sha256: String,
    models: &'a BTreeMap<String, String>,
    digest: &'a str,
}

fn download(
    deployment: &Deployment,
    shelved: &Shelved,
    choice: &engine::Choice,
    extension: &str,
) -> Result<Response, ApiError> {
    let prediction = predict(deployment, shelved, choice.device.as_deref(), choice.profile)?;
    let set = deployment.of(Some(&prediction.device))?;
    let (body, kind) = if extension == "json" {
        let document = Document { schema_version: SCHEMA_VERSION, engine: &shelved.name, prediction: &prediction };
        let whole =
            Downloaded { document, engine_sha256: shelved.id.to_string(), models: &set.digests, digest: &set.digest };
        (serde_json::to_vec_pretty(&whole).map_err(|_| ApiError::internal())?, "application/json")
    } else {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let rows = std::iter::once(CSV_HEADER.map(str::to_owned).to_vec());
        for row in rows.chain(prediction.layers.iter().map(csv_record)) {
            writer.write_record(row).map_err(|_| ApiError::internal())?;
        }
        (writer.into_inner().map_err(|_| ApiError::internal())?, "text/csv; charset=utf-8")
    };
    // Only plain letters: a file name is a header's value here.
    let stem: String = shelved
        .name
        .trim_end_matches(".json")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    let disposition =
        format!("attachment; filename=\"{stem}.{}.{extension}\"", prediction.device.replace(['"', '\\'], "_"));
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body).into_response())
}

/// `GET /compare`.
pub(super) async fn compare(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    choice: Result<Query<compare::Choice>, axum::extract::rejection::QueryRejection>,
) -> Result<Markup, ApiError> {
    let Query(mut choice) = choice.map_err(|e| ApiError::bad_request(e.body_text()).place("query"))?;
    let frame = frame(&app, &client);
    aside(&app, move |app| {
        let deployment = app.models.current();
        choice.device = choice.device.filter(|d| !d.is_empty()).or_else(|| deployment.default_device.clone());
        let devices: Vec<String> = deployment.devices.keys().cloned().collect();
        let form = compare::form(&kept(app), &devices, &choice);
        let (Some(a), Some(b)) = (&choice.a, &choice.b) else {
            let main = html! {
                div.head { div { h1 { "Compare two engines" } p.muted { "Two builds, two networks, or one engine on two devices, layer by layer." } } }
                (form)
            };
            return Ok(page(&frame, Tab::Compare, "Compare", &main));
        };
        let (a, b) = (kept_engine(app, a)?, kept_engine(app, b)?);
        let device_b = choice.device_b.as_deref().or(choice.device.as_deref());
        let first = predict(&deployment, &a, choice.device.as_deref(), 0)?;
        let second = predict(&deployment, &b, device_b, 0)?;
        let (id_a, id_b) = (a.id.to_string(), b.id.to_string());
        let left = Side { id: &id_a, name: &a.name, engine: &a.engine, prediction: &first };
        let right = Side { id: &id_b, name: &b.name, engine: &b.engine, prediction: &second };
        let main = html! { (compare::render(&left, &right, &choice)) (form) };
        Ok(page(&frame, Tab::Compare, &format!("{} and {}", a.name, b.name), &main))
    })
    .await
}

/// `GET /static/{file}`.
pub(super) async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    let path = format!("/static/{file}");
    let asset = assets::all().into_iter().find(|asset| asset.path == path);
    asset.map(assets::Asset::response).ok_or_else(|| ApiError::not_found("there is no such file"))
}
