//! What answers requests at some moment.

use crate::error::ApiError;
use learn::model::Card;
use learn::predict::Models;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every device's models at some moment.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// Counts the exchanges of this process, from 1.
    pub(crate) generation: u64,
    /// The device meant when none is named.
    pub(crate) default_device: Option<String>,
    /// Sets by device.
    pub(crate) devices: BTreeMap<String, Arc<Deployed>>,
}

/// Every model of one device, loaded and proven.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// What predicts.
    pub(crate) models: Models,
    /// SHA-256 of each model's graph, by `layer kind/target`.
    pub(crate) digests: BTreeMap<String, String>,
    /// SHA-256 over all of it: cards, graphs, the device's file.
    pub(crate) digest: String,
}

impl Deployed {
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
    /// The set of a device, or of the default device.
    ///
    /// # Errors
    /// A device that has no models, or none named where several could be meant.
    pub(crate) fn of(&self, device: Option<&str>) -> Result<&Arc<Deployed>, ApiError> {
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
