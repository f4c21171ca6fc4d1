//! Power sources: anything that says what a rail draws.

mod channels;
mod chip_settings;
mod chips;
mod discover;
mod hwmon;
mod iio;
mod none;
mod nvml;
mod powercap;
mod refresh;
mod replay;
mod restore;
mod sampler;
mod sensor_guard;
pub mod serial;
mod simulated;
mod source;
mod sysfs;

pub use chip_settings::settings_at;
pub use chips::Chip;
pub use discover::{absence, discover};
pub use hwmon::find_hwmon;
pub use iio::find_iio;
pub use none::NoSource;
pub use nvml::find_nvml;
pub use powercap::find_powercap;
pub use refresh::RefreshDetector;
pub use replay::ReplaySource;
pub use restore::restore_from_stdin;
pub use sampler::{Live, Outcome, Sampler, SamplerOptions, sample_briefly};
pub use sensor_guard::SensorGuard;
pub(crate) use simulated::setup as simulated_setup;
pub use simulated::{SimulatedBoard, SimulatedSource};
pub use source::{Candidate, Pacing, PowerSource, SourceError, Unread, Unusable, total_lacks};
pub(crate) use sysfs::NumberFile;
pub use sysfs::{Root, read_number, read_text};
