//! What fitting a device leaves.

use super::job::LayerId;
use crate::model::{Artefact, Device, Target};
use shared::engine::Table;

/// Models of one device, and what they predict of networks that they did not see.
#[derive(Debug)]
pub struct Outcome {
    /// The models.
    pub artefacts: Vec<Artefact>,
    /// What holds for the device as a whole.
    pub device: Device,
    /// Models that were not fitted, and why.
    pub skipped: Vec<Skipped>,
    /// Whole networks, predicted by models that did not see them, against their totals or the sums of their measured layers.
    pub totals: Vec<NetworkPrediction>,
    /// Layers predicted by models that did not see their networks.
    pub unseen: Vec<LayerPredictions>,
}

/// A model that was not fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Layer kind.
    pub table: Table,
    /// Target.
    pub target: Target,
    /// Why.
    pub reason: String,
}

/// Predictions of a layer by models that did not see its network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerPredictions {
    /// Its table.
    pub table: Table,
    /// Its index in the table.
    pub number: usize,
    /// Predicted power, W.
    pub power_w: Option<f64>,
    /// Predicted run time, ms.
    pub runtime_ms: Option<f64>,
}

/// A network's measured totals, and the sums over the layers that models predict.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkPrediction {
    /// The network.
    pub network: String,
    /// Whether it was kept back for testing; else it was in a held-out fold of cross-validation.
    pub test: bool,
    /// The layers summed.
    pub layers: Vec<LayerId>,
    /// Measured run time, or the sum of the layers', ms.
    pub measured_ms: f64,
    /// Sum of predicted run times, ms.
    pub predicted_ms: f64,
    /// Measured energy, or the sum of power × run time, mJ; none where a layer lacks power.
    pub measured_mj: Option<f64>,
    /// Sum of predicted power × run time, mJ.
    pub predicted_mj: Option<f64>,
}
