//! The handler of the page of an engine's power modes.

use super::engine_handlers::uploaded_engine;
use super::frame::frame;
use super::layout::{Frame, Tab, page};
use super::modes_form::Pickers;
use super::modes_query::ModesQuery;
use super::modes_view::{ExploredModes, ModesView};
use crate::access::Client;
use crate::app::App;
use crate::error::ApiError;
use crate::models::Deployment;
use crate::query;
use crate::uploads::UploadedEngine;
use axum::extract::{Extension, Path, Query, State};
use boards::modes::KnownMode;
use learn::predict::EngineInput;
use learn::what_if::{
    Anchors, Choice, Origin, SettingOptions, board_choices, caveats, explore, public_modes, settings,
};
use maud::Markup;
use shared::failure::{Failure, Kind};
use std::sync::Arc;

/// `GET /engines/{file}/modes`.
pub(super) async fn modes_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    picked: Result<Query<ModesQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Markup, ApiError> {
    let picked = query::read(picked)?;
    let frame = frame(&app, &client);
    let pool = app.blocking.clone();
    let answer = move || {
        let uploaded = uploaded_engine(&app, &id)?;
        show(&frame, &app.models.current(), &uploaded, picked)
    };
    pool.run(answer).await
}

fn show(
    frame: &Frame,
    deployment: &Deployment,
    uploaded: &UploadedEngine,
    picked: ModesQuery,
) -> Result<Markup, ApiError> {
    let device = deployment.of(Some(picked.device.as_str()).filter(|name| !name.is_empty()))?.device();
    let query = picked.for_device(device);
    let boards = board_choices(deployment.devices.values().map(|models| models.models.device()));
    let recorded = boards.iter().any(|board| board.has_clocks && board.devices.iter().any(|name| name == device));
    let models = deployment.devices.values().map(|models| Arc::clone(&models.models));
    let own_mode = Some(query.own_mode.as_str()).filter(|mode| !mode.is_empty());
    let public = public_modes(device);
    let (explored, modes) = match Anchors::among(models, device, own_mode) {
        Ok(anchors) => (Ok(explored(&anchors, uploaded, &query)?), anchors.modes()),
        // The page says that clocks are not known, and asks for the mode.
        Err(failure) if failure.kind == Kind::Data => (Err(failure), public.clone()),
        Err(failure) => return Err(on_the_page(failure)),
    };
    let id = uploaded.id.to_string();
    let own_modes: &[KnownMode] = if recorded { &[] } else { &public };
    let view = ModesView {
        name: &uploaded.name,
        pickers: Pickers { id: &id, boards: &boards, modes: &modes, own_modes, query: &query },
        explored: explored.as_ref(),
    };
    Ok(page(frame, Tab::Predict, &uploaded.name, &view.render()))
}

/// The engine in every mode of the board and in every batch, the picked mode first.
fn explored(anchors: &Anchors, uploaded: &UploadedEngine, query: &ModesQuery) -> Result<ExploredModes, ApiError> {
    let wish = query.wish()?;
    let picked = Some(&query.mode).filter(|mode| !mode.is_empty());
    let modes: Vec<String> = picked.cloned().into_iter().chain(["all".to_owned()]).collect();
    let batches: Vec<Vec<u32>> = if wish.batches.is_empty() {
        vec![Vec::new()]
    } else {
        wish.batches.iter().map(|batch| vec![*batch]).collect()
    };
    let input = EngineInput { engine: &uploaded.engine, diagnostics: &uploaded.diagnostics, profile: query.profile };
    let graph_notes = uploaded.graph.as_ref().map_or(&[][..], |origin| &origin.notes);
    let mut outlooks = Vec::new();
    for batches in batches {
        let options = SettingOptions { modes: modes.clone(), batches, ..SettingOptions::default() };
        let settings = settings(anchors, &options).map_err(on_the_page)?;
        let mut of_batch = explore(anchors, &input, &settings).map_err(on_the_page)?;
        for outlook in &mut of_batch {
            // Times of layers are not shown, and would be held for all batches.
            outlook.layers = Vec::new();
            outlook.notes.extend(graph_notes.iter().cloned());
        }
        outlooks.extend(of_batch);
    }
    let choice = Choice::among(&outlooks, wish.limit, wish.goal);
    let shown = picked.map(|_| 0).or(choice.chosen);
    let of_models = shown.and_then(|place| outlooks.get(place)).filter(|shown| shown.origin == Origin::Model);
    let anchor = of_models.and_then(|shown| anchors.all.iter().find(|anchor| anchor.mode == shown.mode));
    let shown_device = anchor.map(|anchor| anchor.models.device().name.clone());
    Ok(ExploredModes { caveats: caveats(anchors, &outlooks), outlooks, choice, shown, shown_device })
}

/// A refusal whose next step is one of the page, not of the command line.
fn on_the_page(failure: Failure) -> ApiError {
    let error = ApiError::from(failure);
    if error.status.is_server_error() {
        return error;
    }
    error.help(
        "choose among the modes that the page of this engine offers; leave the batches empty for the engine's own",
    )
}
