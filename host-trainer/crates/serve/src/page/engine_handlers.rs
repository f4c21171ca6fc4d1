//! The handlers of the pages about engines.

use super::compare::{self, ComparedEngine};
use super::engine_view::{EngineQuery, EngineView};
use super::frame::frame;
use super::layout::{Frame, Tab, page, query};
use super::multipart;
use super::upload_form::{self, RecentEngine};
use crate::access::Client;
use crate::app::App;
use crate::error::ApiError;
use crate::models::Deployment;
use crate::uploads::UploadedEngine;
use ::compare::add_origin;
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use learn::predict::{CSV_HEADER, Document, Prediction, SCHEMA_VERSION, csv_record};
use maud::{Markup, html};
use serde::Serialize;
use shared::engine::{Diagnostic, Engine};
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use store::Digest;

/// Engines that the start page and the forms list.
const LISTED: usize = 20;

fn recent(app: &App) -> Vec<RecentEngine> {
    let entries = app.uploads.latest(LISTED).into_iter();
    entries.map(|e| RecentEngine { id: e.id.to_string(), name: e.name, layers: e.layers }).collect()
}

/// `GET /`.
pub(super) async fn start_page(State(app): State<Arc<App>>, Extension(client): Extension<Client>) -> Markup {
    let device = app.models.current().default_device.clone();
    page(&frame(&app, &client), Tab::Predict, "Predict", &upload_form::start(&recent(&app), device.as_deref()))
}

/// `POST /engines`: files, a text, or the name of a sample. Redirects to the result.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    multipart: axum::extract::Multipart,
) -> Result<Redirect, ApiError> {
    let memory = app.predictor.memory().reserve(&headers)?;
    let upload = multipart::read(&app, multipart).await?;
    let (against, device) = (upload.against.clone(), upload.device.clone());
    let pool = app.blocking.clone();
    let store = move || {
        // The client may leave before its files are stored.
        let _memory = memory;
        let most = app.limits.layers;
        let mut ids = Vec::new();
        for (name, content) in &upload.files {
            let uploaded = app.uploads.put(name, content).map_err(upload_error)?;
            if uploaded.engine.layers.len() > most {
                return Err(ApiError::too_large(format!("there are more than the {most} layers that are predicted")));
            }
            ids.push(uploaded.id.to_string());
        }
        Ok(ids)
    };
    let ids = pool.run(store).await?;
    let device = device.unwrap_or_default();
    let to = match (against.as_ref(), ids.as_slice()) {
        (Some(first), [second, ..]) | (None, [first, second, ..]) => {
            format!("/compare?{}", query(&[("a", first), ("b", second), ("device", &device)]))
        }
        (_, [id, ..]) => format!("/engines/{id}?{}", query(&[("device", &device)])),
        (_, []) => {
            return Err(ApiError::bad_request("nothing was sent")
                .help("choose an engine-info file or an ONNX graph, or paste its text, then press Predict"));
        }
    };
    Ok(Redirect::to(to.trim_end_matches('?')))
}

/// The error of an uploaded file, with the name of the file.
fn upload_error(failure: Failure) -> ApiError {
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

/// The uploaded engine of an id.
///
/// # Errors
/// 404 where it is not kept.
pub(super) fn uploaded_engine(app: &App, id: &str) -> Result<Arc<UploadedEngine>, ApiError> {
    let gone = || {
        ApiError::not_found("this engine is not kept here")
            .help("the server keeps the engines looked at last; drop the file again and the same link opens it")
    };
    let id = Digest::from_str(id).map_err(|_| gone())?;
    app.uploads.get(id)?.ok_or_else(gone)
}

fn predict(
    deployment: &Deployment,
    uploaded: &UploadedEngine,
    device: Option<&str>,
    profile: usize,
) -> Result<Prediction, ApiError> {
    let models = &deployment.of(device)?.models;
    let forecast = |engine: &Engine, diagnostics: &[Diagnostic]| models.predict(engine, diagnostics, profile);
    let mut prediction = forecast(&uploaded.engine, &uploaded.diagnostics)?;
    if let Some(origin) = &uploaded.graph {
        add_origin(&mut prediction, &uploaded.engine, origin, &forecast)?;
    }
    Ok(prediction)
}

/// `GET /engines/{id}`, `GET /engines/{id}.csv`, `GET /engines/{id}.json`.
pub(super) async fn engine_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(file): Path<String>,
    choice: Result<Query<EngineQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let choice = crate::query::read(choice)?;
    let frame = frame(&app, &client);
    let pool = app.blocking.clone();
    let answer = move || {
        let (id, extension) = file.split_once('.').unwrap_or((&file, ""));
        let uploaded = uploaded_engine(&app, id)?;
        let deployment = app.models.current();
        match extension {
            "" => Ok(show(&frame, &deployment, &uploaded, &choice)?.into_response()),
            "csv" | "json" => download(&deployment, &uploaded, &choice, extension),
            _ => Err(ApiError::not_found("results can be had as .csv and .json")),
        }
    };
    pool.run(answer).await
}

fn show(
    frame: &Frame,
    deployment: &Deployment,
    uploaded: &UploadedEngine,
    choice: &EngineQuery,
) -> Result<Markup, ApiError> {
    let prediction = predict(deployment, uploaded, choice.device.as_deref(), choice.profile)?;
    let devices: Vec<_> = deployment
        .devices
        .keys()
        .map(|name| {
            let totals = if *name == prediction.device {
                Ok(prediction.totals.clone())
            } else {
                predict(deployment, uploaded, Some(name), choice.profile).map(|p| p.totals).map_err(|e| e.message)
            };
            (name.clone(), totals)
        })
        .collect();
    let set = deployment.of(Some(&prediction.device))?;
    let id = uploaded.id.to_string();
    let view = EngineView {
        id: &id,
        name: &uploaded.name,
        engine: &uploaded.engine,
        diagnostics: &uploaded.diagnostics,
        prediction: &prediction,
        roofline: set.models.device().roofline.as_ref(),
        devices: &devices,
        query: choice,
    };
    Ok(page(frame, Tab::Predict, &uploaded.name, &view.render()))
}

/// A downloaded result: the document of the command, and the models behind it.
#[derive(Serialize)]
struct DownloadDocument<'a> {
    #[serde(flatten)]
    document: Document<'a>,
    engine_sha256: String,
    models: &'a BTreeMap<String, String>,
    digest: &'a str,
}

fn download(
    deployment: &Deployment,
    uploaded: &UploadedEngine,
    choice: &EngineQuery,
    extension: &str,
) -> Result<Response, ApiError> {
    let prediction = predict(deployment, uploaded, choice.device.as_deref(), choice.profile)?;
    let set = deployment.of(Some(&prediction.device))?;
    let (body, kind) = if extension == "json" {
        let document = Document {
            schema_version: SCHEMA_VERSION,
            engine: &uploaded.name,
            prediction: &prediction,
            footprint: None,
        };
        let whole = DownloadDocument {
            document,
            engine_sha256: uploaded.id.to_string(),
            models: &set.digests,
            digest: &set.digest,
        };
        (serde_json::to_vec_pretty(&whole).map_err(|_| ApiError::internal())?, "application/json")
    } else {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let rows = std::iter::once(CSV_HEADER.map(str::to_owned).to_vec());
        for row in rows.chain(prediction.layers.iter().map(csv_record)) {
            writer.write_record(row).map_err(|_| ApiError::internal())?;
        }
        (writer.into_inner().map_err(|_| ApiError::internal())?, "text/csv; charset=utf-8")
    };
    // Only plain letters, since the file name becomes the value of a header.
    let stem: String = uploaded
        .name
        .trim_end_matches(".json")
        .trim_end_matches(".onnx")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    let disposition =
        format!("attachment; filename=\"{stem}.{}.{extension}\"", prediction.device.replace(['"', '\\'], "_"));
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body).into_response())
}

/// `GET /compare`.
pub(super) async fn compare_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    choice: Result<Query<compare::CompareQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Markup, ApiError> {
    let mut choice = crate::query::read(choice)?;
    let frame = frame(&app, &client);
    let pool = app.blocking.clone();
    let answer = move || {
        let deployment = app.models.current();
        choice.device = choice.device.filter(|d| !d.is_empty()).or_else(|| deployment.default_device.clone());
        let devices: Vec<String> = deployment.devices.keys().cloned().collect();
        let form = compare::form(&recent(&app), &devices, &choice);
        let (Some(a), Some(b)) = (&choice.a, &choice.b) else {
            let main = html! {
                div.head { div { h1 { "Compare two engines" } p.muted { "Two builds, two networks, or one engine on two devices, layer by layer." } } }
                (form)
            };
            return Ok(page(&frame, Tab::Compare, "Compare", &main));
        };
        let (a, b) = (uploaded_engine(&app, a)?, uploaded_engine(&app, b)?);
        let device_b = choice.device_b.as_deref().or(choice.device.as_deref());
        let first = predict(&deployment, &a, choice.device.as_deref(), 0)?;
        let second = predict(&deployment, &b, device_b, 0)?;
        let (id_a, id_b) = (a.id.to_string(), b.id.to_string());
        let left = ComparedEngine { id: &id_a, name: &a.name, engine: &a.engine, prediction: &first };
        let right = ComparedEngine { id: &id_b, name: &b.name, engine: &b.engine, prediction: &second };
        let main = html! { (compare::render(&left, &right, &choice)) (form) };
        Ok(page(&frame, Tab::Compare, &format!("{} and {}", a.name, b.name), &main))
    };
    pool.run(answer).await
}
