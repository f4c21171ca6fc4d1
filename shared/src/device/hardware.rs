//! What is known of the hardware and software that a figure was measured on.

use super::models::module_of;
use super::name::DeviceName;
use crate::run_folder::Manifest;
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

/// The hardware and software behind a device's figures, as recorded. What was not recorded is unknown.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hardware {
    /// The board's own name: the device tree's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The module's name, where it is a public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The power mode's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_mode: Option<String>,
    /// L4T release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l4t: Option<String>,
    /// JetPack release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jetpack: Option<String>,
    /// Version of TensorRT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensorrt: Option<String>,
    /// Clocks.
    #[serde(default, skip_serializing_if = "Clocks::is_unknown")]
    pub clocks: Clocks,
    /// Whether the clocks were locked to their caps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks_locked: Option<bool>,
    /// The fan's profile or speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooling: Option<String>,
}

impl Hardware {
    /// What a run's manifest says, and the name of its device; no name where the manifest does not say which board it was.
    ///
    /// ```
    /// use shared::device::Hardware;
    /// use shared::run_folder::Manifest;
    ///
    /// let mut manifest = Manifest::new("resnet18", "jetson-agent");
    /// assert_eq!(Hardware::of(&manifest), (Hardware::default(), None));
    /// manifest.board.model = Some("NVIDIA Jetson Orin Nano Developer Kit".into());
    /// manifest.board.power_mode_name = Some("15W".into());
    /// let (hardware, name) = Hardware::of(&manifest);
    /// assert_eq!(name.map(|name| name.to_string()).as_deref(), Some("orin-nano@15W"));
    /// assert_eq!(hardware.module.as_deref(), Some("Jetson Orin Nano 8GB"));
    /// ```
    #[must_use]
    pub fn of(manifest: &Manifest) -> (Self, Option<DeviceName>) {
        let board = &manifest.board;
        let module = module_of(board.compatible.as_deref(), board.model.as_deref());
        let mode = board.power_mode_name.clone().or_else(|| board.power_mode.map(|number| format!("mode {number}")));
        let caps = board.power_modes.as_ref().zip(board.power_mode).and_then(|(modes, id)| modes.numbered(id));
        let caps = caps.map_or_else(Clocks::default, |mode| Clocks {
            gpu_mhz: mode.gpu_mhz,
            emc_mhz: mode.emc_mhz,
            cpu_mhz: mode.cpu_mhz,
            dla_mhz: mode.dla_mhz,
        });
        let is_tensorrt = matches!(manifest.runner.runner.as_str(), "trtexec" | "tensorrt");
        let fan = board.fan_pwm.map(|pwm| format!("fan at {pwm} of 255"));
        let hardware = Self {
            model: board.model.clone(),
            module: module.map(|module| module.title.to_owned()),
            power_mode: mode.clone(),
            l4t: board.l4t.clone(),
            jetpack: board.jetpack.clone(),
            tensorrt: manifest.runner.version.clone().filter(|_| is_tensorrt),
            clocks: board.clocks.or(caps),
            clocks_locked: board.clocks_locked,
            cooling: board.fan_profile.clone().or(fan),
        };
        let board = module.map(|module| module.name).or(board.model.as_deref());
        (hardware, board.and_then(|board| DeviceName::cleaned(board, mode.as_deref())))
    }
}
