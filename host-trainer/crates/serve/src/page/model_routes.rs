//! The paths of the models page.

use super::layout::{Tab, page, query};
use super::models::{self, AliasView, DeviceView, Registered};
use super::routes::frame;
use crate::App;
use crate::access::Client;
use crate::error::ApiError;
use crate::models::store::{refusal, registry};
use axum::extract::{Extension, Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use registry::{Alias, Registry, Version, Yardstick};
use serde::Deserialize;
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Digest;

/// The parts of a path to an alias.
type Parts = (String, String, String);

fn alias_of((device, kind, target): &Parts) -> Result<Alias, ApiError> {
    format!("{device}/{kind}/{target}").parse().map_err(|_| {
        ApiError::not_found("there is no such model").help("the page of models lists those that there are")
    })
}

/// `GET /models`.
pub(super) async fn overview(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let registered: Registered = match app.models.registry() {
        Some(registry) => {
            let mut all = BTreeMap::new();
            for listed in registry.list(None).await.map_err(refusal)? {
                let alias = listed.version.record.alias.to_string();
                all.entry(alias).or_insert_with(Vec::new).push(listed);
            }
            Some(all)
        }
        None => None,
    };
    let (deployment, refused) = (app.models.current(), app.models.refused());
    let devices: Vec<DeviceView<'_>> = deployment
        .devices
        .iter()
        .map(|(name, set)| DeviceView {
            name,
            digest: &set.digest,
            networks: &set.models.device().networks,
            refused: refused.get(name).map(String::as_str),
            cards: set.cards().collect(),
        })
        .collect();
    Ok(page(&frame(&app, &client), Tab::Models, "Models", &models::overview(&devices, &registered)))
}

/// What a link to an alias says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Said {
    /// What was just done: `promoted`, `already` or `rolled_back`.
    done: Option<String>,
}

/// `GET /models/{device}/{kind}/{target}`.
pub(super) async fn alias(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<Parts>,
    Query(said): Query<Said>,
) -> Result<Markup, ApiError> {
    let alias = alias_of(&parts)?;
    let (listed, trail) = match app.models.registry() {
        Some(registry) => {
            let mut listed = registry.list(Some(alias.device())).await.map_err(refusal)?;
            listed.retain(|listed| listed.version.record.alias == alias);
            (Some(listed), Some(registry.trail(&alias).await.map_err(refusal)?))
        }
        None => (None, None),
    };
    let deployment = app.models.current();
    let set = deployment.devices.get(alias.device());
    let card =
        set.and_then(|set| set.cards().find(|card| card.layer_kind == alias.table() && card.target == alias.target()));
    if card.is_none() && listed.as_ref().is_none_or(Vec::is_empty) {
        return Err(ApiError::not_found("there is no such model"));
    }
    // Only our own words: anybody can write a link.
    let said = match said.done.as_deref() {
        Some("promoted") => Some("promoted; it answers requests now"),
        Some("already") => Some("it was deployed already; nothing changed"),
        Some("rolled_back") => Some("rolled back; the model before it answers requests now"),
        _ => None,
    };
    let refused = app.models.refused();
    let view = AliasView {
        alias: &alias,
        card,
        listed: listed.as_deref(),
        trail: trail.as_ref(),
        said,
        refused: refused.get(alias.device()).map(String::as_str),
    };
    Ok(page(&frame(&app, &client), Tab::Models, &alias.to_string(), &models::alias(&view)))
}

/// Which model to promote.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    model: String,
}

/// What the form of a promotion sends.
#[derive(Debug, Deserialize)]
pub(super) struct Promote {
    model: String,
    reason: String,
    force: Option<String>,
}

async fn version(registry: &Registry, alias: &Alias, model: &str) -> Result<Version, ApiError> {
    let gone = || ApiError::not_found("no such model is registered here");
    let model: Digest = model.parse().map_err(|_| gone())?;
    let versions = registry.versions(alias).await.map_err(refusal)?;
    versions.into_iter().find(|version| version.record.model == model).ok_or_else(gone)
}

async fn question(
    app: &App,
    client: &Client,
    alias: &Alias,
    asked: (&str, &str),
    declined: Option<&str>,
) -> Result<Markup, ApiError> {
    let (model, reason) = asked;
    let registry = registry(app)?;
    let candidate = version(registry, alias, model).await?;
    let trail = registry.trail(alias).await.map_err(refusal)?;
    let deployed = match trail.deployed() {
        Some(promotion) => {
            let versions = registry.versions(alias).await.map_err(refusal)?;
            versions.into_iter().find(|version| version.record.model == promotion.to)
        }
        None => None,
    };
    let compared = registry.compare(&candidate, &Yardstick::default()).await;
    let compared = compared.map_err(|error| Failure::from(error).message);
    let taken_back = trail.has_declined(candidate.record.model);
    let main = models::promote(&models::Question {
        candidate: &candidate,
        deployed: deployed.as_ref(),
        compared: &compared,
        taken_back,
        declined,
        reason,
    });
    Ok(page(&frame(app, client), Tab::Models, "Promote", &main))
}

/// `GET /models/{device}/{kind}/{target}/promote`.
pub(super) async fn ask_promote(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<Parts>,
    Query(which): Query<Which>,
) -> Result<Markup, ApiError> {
    question(&app, &client, &alias_of(&parts)?, (&which.model, ""), None).await
}

/// `POST /models/{device}/{kind}/{target}/promote`.
pub(super) async fn promote(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<Parts>,
    Form(form): Form<Promote>,
) -> Result<Response, ApiError> {
    let alias = alias_of(&parts)?;
    let version = version(registry(&app)?, &alias, &form.model).await?;
    let name = format!("{alias}@{}", version.version);
    match app.promote(&client, &name, Some(form.reason.clone()), form.force.is_some()).await {
        Ok(changed) => {
            let to = format!("{}?{}", models::link(&alias), query(&[("done", changed.outcome())]));
            Ok(Redirect::to(&to).into_response())
        }
        Err(error) if error.status == StatusCode::CONFLICT || error.status == StatusCode::BAD_REQUEST => {
            let asked = (form.model.as_str(), form.reason.as_str());
            let page = question(&app, &client, &alias, asked, Some(&error.message)).await?;
            Ok((error.status, page).into_response())
        }
        Err(error) => Err(error),
    }
}

/// `GET /models/{device}/{kind}/{target}/rollback`.
pub(super) async fn ask_rollback(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<Parts>,
) -> Result<Markup, ApiError> {
    let alias = alias_of(&parts)?;
    let trail = registry(&app)?.trail(&alias).await.map_err(refusal)?;
    Ok(page(&frame(&app, &client), Tab::Models, "Roll back", &models::rollback(&alias, &trail)))
}

/// What the form of a rollback sends.
#[derive(Debug, Deserialize)]
pub(super) struct Rollback {
    reason: String,
}

/// `POST /models/{device}/{kind}/{target}/rollback`.
pub(super) async fn rollback(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<Parts>,
    Form(form): Form<Rollback>,
) -> Result<Redirect, ApiError> {
    let alias = alias_of(&parts)?;
    let changed = app.rollback(&client, &alias.to_string(), None, Some(form.reason)).await?;
    let to = format!("{}?{}", models::link(&alias), query(&[("done", changed.outcome())]));
    Ok(Redirect::to(&to))
}
