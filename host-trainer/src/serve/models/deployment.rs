//! What answers requests at some moment.

use crate::model::Card;
use crate::predict::Models;
use crate::serve::error::ApiError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every device's models at some moment.
#[derive(Debug)]
pub(in crate::serve) struct Deployment {
    /// Counts the exchanges of this process, from 1.
    pub(in crate::serve) generation: u64,
    /// The device meant when none is named.
    pub(in crate::serve) default_device: Option<String>,
    /// Sets by device.
    pub(in crate::serve) devices: BTreeMap<String, Arc<Deployed>>,
}

/// Every model of one device, loaded and proven.
#[derive(Debug)]
pub(in crate::serve) struct Deployed {
    /// What predicts.
    pub(in crate::serve) models: Models,
    /// SHA-256 of each model's graph, by `layer kind/target`.
    pub(in crate::serve) digests: BTreeMap<String, String>,
    /// SHA-256 over all of it: cards, graphs, the device's file.
    pub(in crate::serve) digest: String,
}

impl Deployed {
    /// The device.
    pub(in crate::serve) fn device(&self) -> &str {
        &self.models.device().name
    }

    /// The models' cards.
    pub(in crate::serve) fn cards(&self) -> impl Iterator<Item = &Card> {
        self.models.cards()
    }
}

impl Deployment {
    /// The set of a device, or of the default device.
    ///
    /// # Errors
    /// A device that has no models, or none named where several could be meant.
    pub(in crate::serve) fn of(&self, device: Option<&str>) -> Result<&Arc<Deployed>, ApiError> {
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
