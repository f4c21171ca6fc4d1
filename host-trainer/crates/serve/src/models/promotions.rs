//! Promotion and rollback of the models of a store.

use super::deployments::Deployments;
use crate::access::Client;
use crate::error::ApiError;
use ::store::{Digest, Entry};
use axum::http::StatusCode;
use registry::{self, Outcome, Promotion, Registry, Request};
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use utoipa::ToSchema;

/// Most characters of a reason.
const REASON_CHARACTERS: usize = 1000;

/// A request to promote a model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromoteRequest {
    /// `DEVICE/KIND/TARGET@VERSION`, or the first digits of a model's name.
    pub(crate) model: String,
    /// Why.
    pub(crate) reason: Option<String>,
    /// Promote the model even if it is not better than the deployed one. Needs a reason.
    #[serde(default)]
    pub(crate) force: bool,
}

/// A request to roll back the deployed model of an alias.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackRequest {
    /// `DEVICE/KIND/TARGET`.
    pub(crate) alias: String,
    /// The model to return to [default: the one deployed before].
    #[schema(value_type = Option<String>)]
    pub(crate) to: Option<Digest>,
    /// Why.
    pub(crate) reason: Option<String>,
}

/// An entry of the audit trail with its number within its alias.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberedPromotion {
    /// Counts from 1 within the alias.
    number: u64,
    #[serde(flatten)]
    promotion: Promotion,
}

impl From<Entry<Promotion>> for NumberedPromotion {
    fn from(entry: Entry<Promotion>) -> Self {
        Self { number: entry.number, promotion: entry.value }
    }
}

/// The outcome of a promotion or rollback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentChange {
    /// `promoted`, `already` or `rolled_back`.
    pub(crate) outcome: &'static str,
    entry: NumberedPromotion,
    /// SHA-256 of the device's models that answer from now on.
    digest: Option<String>,
    /// Why the deployed models do not answer, where they do not.
    refused: Option<String>,
}

impl Deployments {
    /// The registry that the models come from.
    ///
    /// # Errors
    /// 409 for models that come from a folder.
    pub(crate) fn require_registry(&self) -> Result<&Registry, ApiError> {
        self.registry().ok_or_else(|| {
            ApiError::new(StatusCode::CONFLICT, "no_store", "the models come from a folder, which has no versions")
                .help("start the server with --store URL")
        })
    }

    /// Promotes a model, and returns once it answers requests.
    ///
    /// # Errors
    /// 404 for an unknown model, 409 for one that is not better than the deployed one, 422 for one that fails a check.
    pub(crate) async fn promote(&self, client: &Client, request: PromoteRequest) -> Result<DeploymentChange, ApiError> {
        let registry = self.require_registry()?;
        let version = registry.find(&request.model).await.map_err(registry_error)?;
        let (force, reason) = (request.force, checked_reason(request.reason)?);
        let request = Request { force, reason, who: client.audit_name(), ..Request::default() };
        let outcome = registry.promote(&version, &request).await.map_err(registry_error)?;
        match outcome {
            Outcome::Promoted(entry) => Ok(self.changed("promoted", entry).await),
            Outcome::Already(entry) => Ok(self.changed("already", entry).await),
            Outcome::Declined { reason, .. } => Err(declined(&reason)),
        }
    }

    /// Rolls an alias back, and returns once the former model answers requests.
    ///
    /// # Errors
    /// 409 where there is nothing to return to.
    pub(crate) async fn rollback(
        &self,
        client: &Client,
        request: RollbackRequest,
    ) -> Result<DeploymentChange, ApiError> {
        let registry = self.require_registry()?;
        let alias = request.alias.parse().map_err(registry_error)?;
        let (who, reason) = (client.audit_name(), checked_reason(request.reason)?);
        let entry = registry.rollback(&alias, request.to, reason.as_deref(), &who).await.map_err(registry_error)?;
        Ok(self.changed("rolled_back", entry).await)
    }

    async fn changed(&self, outcome: &'static str, entry: Entry<Promotion>) -> DeploymentChange {
        let Promotion { alias, to, stamp, reason, .. } = &entry.value;
        tracing::info!(outcome, %alias, model = %to, who = stamp.who, reason, "a deployment changed");
        self.refresh().await;
        let device = alias.device().to_owned();
        let digest = self.current().devices.get(&device).map(|models| models.digest.clone());
        DeploymentChange { outcome, entry: entry.into(), digest, refused: self.refused().remove(&device) }
    }
}

/// The error of a registry as a client gets it.
pub(crate) fn registry_error(error: registry::Error) -> ApiError {
    let (status, code) = match &error {
        registry::Error::Name(_) => (StatusCode::BAD_REQUEST, "bad_name"),
        registry::Error::Unknown(_) => (StatusCode::NOT_FOUND, "not_found"),
        registry::Error::Declined { .. } => (StatusCode::CONFLICT, "declined"),
        registry::Error::Unfit { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unfit"),
        registry::Error::Contended(_) => (StatusCode::CONFLICT, "contended"),
        _ => {
            let failure = Failure::from(error);
            // The store's name goes to the log only.
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

fn checked_reason(reason: Option<String>) -> Result<Option<String>, ApiError> {
    match reason {
        Some(long) if long.chars().count() > REASON_CHARACTERS => {
            Err(ApiError::bad_request(format!("a reason has at most {REASON_CHARACTERS} characters")).place("reason"))
        }
        other => Ok(other.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty())),
    }
}

fn declined(reason: &str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "declined", format!("not promoted: {reason}"))
        .help("promote it with \"force\": true and a reason to put it in force all the same")
}
