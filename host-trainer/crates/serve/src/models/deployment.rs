//! A deployment: the models of every device at one moment.

use crate::error::ApiError;
use learn::model::Card;
use learn::predict::Models;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Identifies a state of a device's models at their source: it changes whenever they do.
pub(crate) type Fingerprint = String;

/// The models of every device at one moment. A request takes one deployment and keeps it to its end.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// Counts the deployments of this process, from 1.
    pub(crate) generation: u64,
    /// The device of requests that name none.
    pub(crate) default_device: Option<String>,
    /// The models by device.
    pub(crate) devices: BTreeMap<String, Arc<DeployedModels>>,
}

/// Every model of one device, loaded and validated.
#[derive(Debug)]
pub(crate) struct DeployedModels {
    /// The models.
    pub(crate) models: Arc<Models>,
    /// SHA-256 of each model's graph, by `layer kind/target`.
    pub(crate) digests: BTreeMap<String, String>,
    /// SHA-256 over cards, graphs and the device's file.
    pub(crate) digest: String,
}

impl DeployedModels {
    /// The device.
    pub(crate) fn device(&self) -> &str {
        &self.models.device().name
    }

    /// The models' cards.
    pub(crate) fn cards(&self) -> impl Iterator<Item = &Card> {
        self.models.cards()
    }
}

impl Deployment {
    /// The models of a device, or of the default device.
    ///
    /// # Errors
    /// A device without models; no device named and no default.
    pub(crate) fn of(&self, device: Option<&str>) -> Result<&Arc<DeployedModels>, ApiError> {
        let known = || format!("there are models for {}", self.devices.keys().cloned().collect::<Vec<_>>().join(", "));
        let Some(name) = device.or(self.default_device.as_deref()) else {
            return Err(ApiError::bad_request("no device is named and several could be meant")
                .place("device")
                .help(known()));
        };
        self.devices.get(name).ok_or_else(|| {
            let message = format!("there are no models for `{}`", shared::failure::printable(name));
            ApiError::unprocessable("unknown_device", message).place("device").help(known())
        })
    }
}
