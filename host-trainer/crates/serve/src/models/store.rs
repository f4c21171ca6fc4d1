//! What only models from a store have: candidates, history, promotion and rollback.

use crate::error::{ApiError, ErrorBody};
use crate::{App, Client, json};
use ::store::{Digest, Entry};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use registry::{self, Listed, Outcome, Promotion, Registry, Request};
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Most bytes of a request to change something.
const BODY_BYTES: usize = 64 << 10;
/// Longest reason kept.
const REASON_CHARACTERS: usize = 1000;

/// Of which device.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Of {
    /// The device [default: all].
    device: Option<String>,
}

/// What `GET /v1/models/registered` says.
#[derive(Debug, Serialize)]
pub(crate) struct Registered {
    schema_version: u32,
    models: Vec<Listed>,
}

/// What `GET /v1/models/history` says.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    schema_version: u32,
    entries: Vec<Numbered>,
}

/// An entry of the audit trail with its number among those of its alias.
#[derive(Debug, Serialize)]
struct Numbered {
    number: u64,
    #[serde(flatten)]
    promotion: Promotion,
}

impl From<Entry<Promotion>> for Numbered {
    fn from(entry: Entry<Promotion>) -> Self {
        Self { number: entry.number, promotion: entry.value }
    }
}

/// What `POST /v1/models/promote` takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promote {
    /// `DEVICE/KIND/TARGET@VERSION`, or the first digits of a model's name.
    model: String,
    /// Why.
    reason: Option<String>,
    /// Whether to put it in force against the figures; takes a reason.
    #[serde(default)]
    force: bool,
}

/// What `POST /v1/models/rollback` takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// `DEVICE/KIND/TARGET`.
    alias: String,
    /// The model to go back to [default: the one deployed before].
    #[schema(value_type = Option<String>)]
    to: Option<Digest>,
    /// Why.
    reason: Option<String>,
}

/// What became of a promotion or rollback.
#[derive(Debug, Serialize)]
pub(crate) struct Changed {
    /// `promoted`, `already` or `rolled_back`.
    outcome: &'static str,
    entry: Numbered,
    /// The digest of the device's models that answer from now on.
    digest: Option<String>,
    /// Why the models deployed now do not answer, where they do not.
    refused: Option<String>,
}

/// The registry that the models come from.
///
/// # Errors
/// Models that come from a folder.
pub(crate) fn registry(app: &App) -> Result<&Registry, ApiError> {
    app.models.registry().ok_or_else(|| {
        ApiError::new(StatusCode::CONFLICT, "no_store", "the models come from a folder, which has no versions")
            .help("start the server with --store URL")
    })
}

/// A registry's error as a client meets it.
pub(crate) fn refusal(error: registry::Error) -> ApiError {
    let (status, code) = match &error {
        registry::Error::Name(_) => (StatusCode::BAD_REQUEST, "bad_name"),
        registry::Error::Unknown(_) => (StatusCode::NOT_FOUND, "not_found"),
        registry::Error::Declined { .. } => (StatusCode::CONFLICT, "declined"),
        registry::Error::Unfit { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unfit"),
        registry::Error::Contended(_) => (StatusCode::CONFLICT, "contended"),
        _ => {
            let failure = Failure::from(error);
            // What the store is called is no client's business.
            if failure.kind == Kind::Usage {
                return ApiError::bad_request(failure.message);
            }
            tracing::error!(error = %failure, "the store failed");
            return ApiError::new(StatusCode::BAD_GATEWAY, "store_failed", "the store did not do what it was asked to")
                .help("the server's log says why, under this answer's x-request-id");
        }
    };
    let failure = Failure::from(error);
    let error = ApiError::new(status, code, failure.message);
    match failure.help {
        Some(help) => error.help(help),
        None => error,
    }
}

fn checked(reason: Option<String>) -> Result<Option<String>, ApiError> {
    match reason {
        Some(long) if long.chars().count() > REASON_CHARACTERS => {
            Err(ApiError::bad_request(format!("a reason has at most {REASON_CHARACTERS} characters")).place("reason"))
        }
        other => Ok(other.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty())),
    }
}

fn of(query: Result<Query<Of>, QueryRejection>) -> Result<Option<String>, ApiError> {
    let Query(of) = query.map_err(|e| ApiError::bad_request(e.body_text()).place("query"))?;
    if let Some(device) = &of.device {
        learn::model::check_device_name(device).map_err(|f| ApiError::bad_request(f.message).place("device"))?;
    }
    Ok(of.device)
}

/// Every registered model and whether it is deployed, former, declined or a candidate.
#[utoipa::path(
    get,
    path = "/v1/models/registered",
    tag = "models",
    params(Of),
    responses(
        (status = 200, description = "The models"),
        (status = 409, description = "The models come from a folder", body = ErrorBody)
    )
)]
pub(crate) async fn registered(
    State(app): State<Arc<App>>,
    query: Result<Query<Of>, QueryRejection>,
) -> Result<Json<Registered>, ApiError> {
    let device = of(query)?;
    let models = registry(&app)?.list(device.as_deref()).await.map_err(refusal)?;
    Ok(Json(Registered { schema_version: 1, models }))
}

/// Every promotion and rollback: who, when, why, by which figures.
#[utoipa::path(
    get,
    path = "/v1/models/history",
    tag = "models",
    params(Of),
    responses(
        (status = 200, description = "The audit trail, oldest first"),
        (status = 409, description = "The models come from a folder", body = ErrorBody)
    )
)]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    query: Result<Query<Of>, QueryRejection>,
) -> Result<Json<History>, ApiError> {
    let device = of(query)?;
    let entries = registry(&app)?.history(device.as_deref()).await.map_err(refusal)?;
    Ok(Json(History { schema_version: 1, entries: entries.into_iter().map(Numbered::from).collect() }))
}

/// Promote a model. Answers when it answers requests.
#[utoipa::path(
    post,
    path = "/v1/models/promote",
    tag = "models",
    request_body = Promote,
    responses(
        (status = 200, description = "It is deployed"),
        (status = 404, description = "There is no such model", body = ErrorBody),
        (status = 409, description = "It is not better than the one deployed, or the models come from a folder", body = ErrorBody),
        (status = 422, description = "It does not stand the checks", body = ErrorBody)
    )
)]
pub(crate) async fn promote(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    body: Body,
) -> Result<Json<Changed>, ApiError> {
    let promote: Promote = json::read(body, BODY_BYTES).await?;
    app.promote(&client, &promote.model, promote.reason, promote.force).await.map(Json)
}

/// Take the deployed model of an alias back. Answers when the one before answers requests.
#[utoipa::path(
    post,
    path = "/v1/models/rollback",
    tag = "models",
    request_body = Rollback,
    responses(
        (status = 200, description = "It was taken back"),
        (status = 409, description = "There is nothing to go back to, or the models come from a folder", body = ErrorBody)
    )
)]
pub(crate) async fn rollback(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    body: Body,
) -> Result<Json<Changed>, ApiError> {
    let rollback: Rollback = json::read(body, BODY_BYTES).await?;
    app.rollback(&client, &rollback.alias, rollback.to, rollback.reason).await.map(Json)
}

impl Changed {
    /// `promoted`, `already` or `rolled_back`.
    pub(crate) fn outcome(&self) -> &'static str {
        self.outcome
    }
}

impl App {
    /// Promotes a model, and returns when what is deployed then answers.
    pub(crate) async fn promote(
        &self,
        client: &Client,
        model: &str,
        reason: Option<String>,
        force: bool,
    ) -> Result<Changed, ApiError> {
        let registry = registry(self)?;
        let version = registry.find(model).await.map_err(refusal)?;
        let request = Request { force, reason: checked(reason)?, who: client.audit_name(), ..Request::default() };
        let outcome = registry.promote(&version, &request).await.map_err(refusal)?;
        match outcome {
            Outcome::Promoted(entry) => Ok(self.changed("promoted", entry).await),
            Outcome::Already(entry) => Ok(self.changed("already", entry).await),
            Outcome::Declined { reason, .. } => Err(declined(&reason)),
        }
    }

    /// Rolls an alias back, and returns when what is deployed then answers.
    pub(crate) async fn rollback(
        &self,
        client: &Client,
        alias: &str,
        to: Option<Digest>,
        reason: Option<String>,
    ) -> Result<Changed, ApiError> {
        let registry = registry(self)?;
        let alias = alias.parse().map_err(refusal)?;
        let (who, reason) = (client.audit_name(), checked(reason)?);
        let entry = registry.rollback(&alias, to, reason.as_deref(), &who).await.map_err(refusal)?;
        Ok(self.changed("rolled_back", entry).await)
    }

    async fn changed(&self, outcome: &'static str, entry: Entry<Promotion>) -> Changed {
        let Promotion { alias, to, stamp, reason, .. } = &entry.value;
        tracing::info!(outcome, %alias, model = %to, who = stamp.who, reason, "a deployment changed");
        self.models.refresh().await;
        let device = alias.device().to_owned();
        let digest = self.models.current().devices.get(&device).map(|set| set.digest.clone());
        Changed { outcome, entry: entry.into(), digest, refused: self.models.refused().remove(&device) }
    }
}

fn declined(reason: &str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "declined", format!("not promoted: {reason}"))
        .help("promote it with \"force\": true and a reason to put it in force all the same")
}
