//! The handlers of the pages about models.

use super::alias_view::{self, AliasView};
use super::frame::frame;
use super::layout::{Tab, page, query};
use super::models_view::{self, DeviceView, RegisteredByAlias, link};
use super::promotion_view::{self, Question};
use crate::access::Client;
use crate::app::App;
use crate::error::ApiError;
use crate::models::{DeploymentChange, PromoteRequest, RollbackRequest, registry_error};
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

/// Device, layer kind and target in the path of an alias.
type AliasPath = (String, String, String);

fn alias_of((device, kind, target): &AliasPath) -> Result<Alias, ApiError> {
    format!("{device}/{kind}/{target}").parse().map_err(|_| {
        ApiError::not_found("there is no such model").help("the page of models lists those that there are")
    })
}

/// `GET /models`.
pub(super) async fn models_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
) -> Result<Markup, ApiError> {
    let registered: RegisteredByAlias = match app.models.registry() {
        Some(registry) => {
            let mut all = BTreeMap::new();
            for listed in registry.list(None).await.map_err(registry_error)? {
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
        .map(|(name, deployed)| DeviceView {
            name,
            digest: &deployed.digest,
            networks: &deployed.models.device().networks,
            refused: refused.get(name).map(String::as_str),
            cards: deployed.cards().collect(),
        })
        .collect();
    Ok(page(&frame(&app, &client), Tab::Models, "Models", &models_view::overview(&devices, &registered)))
}

/// The query of an alias' page.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AliasQuery {
    /// The outcome of the change just made: `promoted`, `already` or `rolled_back`.
    done: Option<String>,
}

/// `GET /models/{device}/{kind}/{target}`.
pub(super) async fn alias_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<AliasPath>,
    Query(query): Query<AliasQuery>,
) -> Result<Markup, ApiError> {
    let alias = alias_of(&parts)?;
    let (listed, trail) = match app.models.registry() {
        Some(registry) => {
            let mut listed = registry.list(Some(alias.device())).await.map_err(registry_error)?;
            listed.retain(|listed| listed.version.record.alias == alias);
            (Some(listed), Some(registry.trail(&alias).await.map_err(registry_error)?))
        }
        None => (None, None),
    };
    let deployment = app.models.current();
    let deployed = deployment.devices.get(alias.device());
    let card = deployed.and_then(|deployed| {
        deployed.cards().find(|card| card.layer_kind == alias.table() && card.target == alias.target())
    });
    if card.is_none() && listed.as_ref().is_none_or(Vec::is_empty) {
        return Err(ApiError::not_found("there is no such model"));
    }
    // Only fixed texts, since anybody can write a link.
    let notice = match query.done.as_deref() {
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
        notice,
        refused: refused.get(alias.device()).map(String::as_str),
    };
    Ok(page(&frame(&app, &client), Tab::Models, &alias.to_string(), &alias_view::render(&view)))
}

/// The query of the question before a promotion.
#[derive(Debug, Deserialize)]
pub(super) struct PromoteQuery {
    model: String,
}

/// The form of a promotion. A checkbox that is not checked is not sent.
#[derive(Debug, Deserialize)]
pub(super) struct PromoteForm {
    model: String,
    reason: String,
    force: Option<String>,
}

async fn version(registry: &Registry, alias: &Alias, model: &str) -> Result<Version, ApiError> {
    let gone = || ApiError::not_found("no such model is registered here");
    let model: Digest = model.parse().map_err(|_| gone())?;
    let versions = registry.versions(alias).await.map_err(registry_error)?;
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
    let registry = app.models.require_registry()?;
    let candidate = version(registry, alias, model).await?;
    let trail = registry.trail(alias).await.map_err(registry_error)?;
    let deployed = match trail.deployed() {
        Some(promotion) => {
            let versions = registry.versions(alias).await.map_err(registry_error)?;
            versions.into_iter().find(|version| version.record.model == promotion.to)
        }
        None => None,
    };
    let compared = registry.compare(&candidate, &Yardstick::default()).await;
    let compared = compared.map_err(|error| Failure::from(error).message);
    let taken_back = trail.has_declined(candidate.record.model);
    let main = promotion_view::promote(&Question {
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
pub(super) async fn promote_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<AliasPath>,
    Query(query): Query<PromoteQuery>,
) -> Result<Markup, ApiError> {
    question(&app, &client, &alias_of(&parts)?, (&query.model, ""), None).await
}

/// `POST /models/{device}/{kind}/{target}/promote`.
pub(super) async fn promote(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<AliasPath>,
    Form(form): Form<PromoteForm>,
) -> Result<Response, ApiError> {
    let alias = alias_of(&parts)?;
    let version = version(app.models.require_registry()?, &alias, &form.model).await?;
    let request = PromoteRequest {
        model: format!("{alias}@{}", version.version),
        reason: Some(form.reason.clone()),
        force: form.force.is_some(),
    };
    match app.models.promote(&client, request).await {
        Ok(change) => Ok(to_alias(&alias, &change).into_response()),
        Err(error) if error.status == StatusCode::CONFLICT || error.status == StatusCode::BAD_REQUEST => {
            let asked = (form.model.as_str(), form.reason.as_str());
            let page = question(&app, &client, &alias, asked, Some(&error.message)).await?;
            Ok((error.status, page).into_response())
        }
        Err(error) => Err(error),
    }
}

/// `GET /models/{device}/{kind}/{target}/rollback`.
pub(super) async fn rollback_page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<AliasPath>,
) -> Result<Markup, ApiError> {
    let alias = alias_of(&parts)?;
    let trail = app.models.require_registry()?.trail(&alias).await.map_err(registry_error)?;
    Ok(page(&frame(&app, &client), Tab::Models, "Roll back", &promotion_view::rollback(&alias, &trail)))
}

/// The form of a rollback.
#[derive(Debug, Deserialize)]
pub(super) struct RollbackForm {
    reason: String,
}

/// `POST /models/{device}/{kind}/{target}/rollback`.
pub(super) async fn roll_back(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Path(parts): Path<AliasPath>,
    Form(form): Form<RollbackForm>,
) -> Result<Redirect, ApiError> {
    let alias = alias_of(&parts)?;
    let request = RollbackRequest { alias: alias.to_string(), to: None, reason: Some(form.reason) };
    Ok(to_alias(&alias, &app.models.rollback(&client, request).await?))
}

/// Redirects to an alias after a change, with its outcome.
fn to_alias(alias: &Alias, change: &DeploymentChange) -> Redirect {
    Redirect::to(&format!("{}?{}", link(alias), query(&[("done", change.outcome)])))
}
