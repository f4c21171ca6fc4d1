//! What is known of the hardware and software that a figure was measured on.

use super::clocks::Clocks;
use super::models::module_of;
use super::name::DeviceName;
use crate::run_folder::Manifest;
use serde::{Deserialize, Serialize};

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
    /// What two records of one device agree on; the rest is unknown.
    ///
    /// ```
    /// use shared::device::{Clocks, Hardware};
    ///
    /// let at = |gpu_mhz, jetpack: &str| Hardware {
    ///     jetpack: Some(jetpack.into()),
    ///     clocks: Clocks { gpu_mhz: Some(gpu_mhz), ..Clocks::default() },
    ///     ..Hardware::default()
    /// };
    /// let both = at(612.0, "6.1").agreed(&at(612.0, "6.2"));
    /// assert_eq!((both.clocks.gpu_mhz, both.jetpack), (Some(612.0), None));
    /// ```
    #[must_use]
    pub fn agreed(&self, other: &Self) -> Self {
        fn same<T: PartialEq + Clone>(a: &Option<T>, b: &Option<T>) -> Option<T> {
            a.clone().filter(|_| a == b)
        }
        let (ours, theirs) = (&self.clocks, &other.clocks);
        Self {
            model: same(&self.model, &other.model),
            module: same(&self.module, &other.module),
            power_mode: same(&self.power_mode, &other.power_mode),
            l4t: same(&self.l4t, &other.l4t),
            jetpack: same(&self.jetpack, &other.jetpack),
            tensorrt: same(&self.tensorrt, &other.tensorrt),
            clocks: Clocks {
                gpu_mhz: same(&ours.gpu_mhz, &theirs.gpu_mhz),
                emc_mhz: same(&ours.emc_mhz, &theirs.emc_mhz),
                cpu_mhz: same(&ours.cpu_mhz, &theirs.cpu_mhz),
                dla_mhz: same(&ours.dla_mhz, &theirs.dla_mhz),
            },
            clocks_locked: same(&self.clocks_locked, &other.clocks_locked),
            cooling: same(&self.cooling, &other.cooling),
        }
    }

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
