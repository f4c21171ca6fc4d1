//! What is known of a device beside its models: the roofline that stands in for a missing model.

use crate::features::ASSUMED_PRECISION;
use serde::{Deserialize, Serialize};
use shared::device::{DeviceName, Hardware};
use shared::engine::{Precision, Work};
use shared::failure::{Failure, Kind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::units::Millis;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::Interval;

/// The file of a device below its folder.
pub const DEVICE_FILE: &str = "device.json";
/// The file below a folder of models that names the device meant when none is named.
const DEFAULT_DEVICE_FILE: &str = "default_device";

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// The roofline fitted from the training rows; none where no row has a run time.
    pub roofline: Option<Roofline>,
    /// Median power of the training rows, the fallback where no model predicts a layer's power.
    pub median_power_w: Option<f64>,
    /// Bounds for a whole network's run time over its prediction, from networks held out.
    pub runtime_total: Option<Interval>,
    /// Bounds for a whole network's energy over its prediction, from networks held out.
    pub energy_total: Option<Interval>,
    /// Bounds for a whole network's mean power over its prediction, from networks held out.
    #[serde(default)]
    pub power_total: Option<Interval>,
    /// Networks behind all of it.
    pub networks: Vec<String>,
    /// What a user should know.
    pub notes: Vec<String>,
    /// Board, mode, clocks and software behind it, as recorded; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// Where the models come from, if they were carried over from another device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferRecord>,
}

/// How the models of a device were carried over from another device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRecord {
    /// The device that they were fitted for.
    pub from: String,
    /// Networks measured on the new device that the factors were fitted to.
    pub measurements: usize,
    /// The part of a layer's time on the source that counts as its launch: no more than this, in ms.
    pub launch_ms: f64,
    /// By what that part is multiplied.
    pub launch_factor: f64,
    /// By what the rest is multiplied.
    pub work_factor: f64,
    /// Standard deviation of a network's log run time around the prediction, that of the source's models aside.
    pub log_sd: f64,
    /// What the prior rests on.
    pub prior: String,
}

/// Run time as launch time plus work over rate: `t = launch + MACs / rate(precision) + bytes / bandwidth`, coefficients
/// non-negative, fitted on relative error over the training rows of every layer kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Constant of every launch, in ms.
    pub launch_ms: f64,
    /// Milliseconds per 10⁹ MACs, by precision in bits.
    pub ms_per_gmac: BTreeMap<u32, f64>,
    /// Milliseconds per 10⁶ bytes moved.
    pub ms_per_megabyte: f64,
    /// Rows it was fitted on.
    pub rows: usize,
    /// Mean absolute percentage error on those rows.
    pub mape_percent: f64,
    /// Bounds for a layer of a kind that training did not see, from kinds left out in turn. Its level allows for how few they
    /// are. None where there are fewer than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_kind: Option<Interval>,
}

impl Roofline {
    /// The run time of a layer's work in a precision of so many bits. A precision that training did not see takes the price of the nearest
    /// wider one seen, else of the widest, in proportion to its bits.
    #[must_use]
    pub fn runtime(&self, work: &Work<f64>, bits: u32) -> Millis {
        let rate = self.ms_per_gmac.range(bits..).next().or_else(|| self.ms_per_gmac.iter().next_back());
        let (gmacs, megabytes) = (work.macs.unwrap_or(0.0) * 1e-9, work.bytes_moved * 1e-6);
        let rate = rate.map_or(0.0, |(seen, rate)| rate * f64::from(bits) / f64::from(*seen));
        Millis(self.launch_ms + gmacs * rate + megabytes * self.ms_per_megabyte)
    }

    /// The bits of a precision.
    #[must_use]
    pub fn bits(precision: Option<Precision>) -> u32 {
        precision.unwrap_or(ASSUMED_PRECISION).bits()
    }
}

impl Device {
    /// Writes the device's file.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, models: &Path) -> Result<(), Failure> {
        write_atomic(&models.join(&self.name).join(DEVICE_FILE), &self.to_file()?)
    }

    /// The description as its file holds it.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn to_file(&self) -> Result<Vec<u8>, Failure> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| Failure::from_error(Kind::Data, e))?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads the device's file.
    ///
    /// # Errors
    /// A missing or damaged file.
    pub fn read(models: &Path, device: &str) -> Result<Self, Failure> {
        let path = models.join(device).join(DEVICE_FILE);
        Self::parse(&read_capped(&path, limits::SMALL_FILE_BYTES)?, &path)
    }

    /// Reads a description from the bytes of its file; `origin` is what failures call it.
    ///
    /// # Errors
    /// Bytes that describe no device.
    pub fn parse(json: &[u8], origin: &Path) -> Result<Self, Failure> {
        serde_json::from_slice(json).map_err(|e| {
            Failure::data(format!("is no device description: {e}")).at(origin).help("fit again, or restore the file")
        })
    }
}

/// Checks a device's name. It becomes a folder's name and a part of an object's, so that it must not climb out of it.
///
/// # Errors
/// A name that is not `board` or `board@mode`, of at most 100 bytes, each part of letters, digits, `-`, `_`, `.` and spaces and
/// not beginning with a dot.
pub fn check_device_name(name: &str) -> Result<(), Failure> {
    name.parse::<DeviceName>().map(drop).map_err(|e| {
        Failure::usage(e.to_string())
            .help("use BOARD or BOARD@MODE of letters, digits, `-`, `_` and `.`, neither of them beginning with a dot")
    })
}

/// Names of the devices that a folder of models holds, sorted.
///
/// # Errors
/// A folder that cannot be listed or holds no device.
pub fn devices(models: &Path) -> Result<Vec<String>, Failure> {
    let listing = std::fs::read_dir(models).map_err(|e| {
        let failure = Failure::io(models, "read the models", &e);
        match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                failure.help("name a folder that `host-trainer fit --out` wrote, by --models")
            }
            _ => failure,
        }
    })?;
    let mut names: Vec<String> = listing
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join(DEVICE_FILE).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(Failure::data("holds no models").at(models).help("train some with `host-trainer fit`"));
    }
    Ok(names)
}

/// The device meant when none is named: the only one, or the first that was ever fitted into the folder.
///
/// # Errors
/// Several devices and no default.
pub fn default_device(models: &Path) -> Result<String, Failure> {
    let names = devices(models)?;
    if let [only] = names.as_slice() {
        return Ok(only.clone());
    }
    let default = std::fs::read_to_string(models.join(DEFAULT_DEVICE_FILE)).unwrap_or_default();
    match names.iter().find(|name| *name == default.trim()) {
        Some(name) => Ok(name.clone()),
        None => Err(Failure::usage(format!("there are models for {}", names.join(", ")))
            .at(models)
            .help("choose one by --device")),
    }
}

/// Makes a device the default of a folder of models that has none yet.
///
/// # Errors
/// Whatever the file system says.
pub fn set_default_device(models: &Path, device: &str) -> Result<(), Failure> {
    let path = models.join(DEFAULT_DEVICE_FILE);
    if path.exists() { Ok(()) } else { write_atomic(&path, format!("{device}\n").as_bytes()) }
}
