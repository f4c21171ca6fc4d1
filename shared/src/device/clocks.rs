//! Clocks of a board's units.

use serde::{Deserialize, Serialize};

/// Clocks in MHz; each is unknown unless it was recorded. Where a clock is not locked it is the cap that the power mode sets.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Clocks {
    /// Of the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_mhz: Option<f64>,
    /// Of the external memory controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emc_mhz: Option<f64>,
    /// Of the fastest CPU cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_mhz: Option<f64>,
    /// Of the deep-learning accelerators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dla_mhz: Option<f64>,
}

impl Clocks {
    /// The clocks that are known here, and of the others those that `other` knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            gpu_mhz: self.gpu_mhz.or(other.gpu_mhz),
            emc_mhz: self.emc_mhz.or(other.emc_mhz),
            cpu_mhz: self.cpu_mhz.or(other.cpu_mhz),
            dla_mhz: self.dla_mhz.or(other.dla_mhz),
        }
    }

    /// Whether no clock is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
