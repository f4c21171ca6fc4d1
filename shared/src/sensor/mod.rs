//! How power sensors turn a load into readings.
//!
//! [`SensorFamily`] describes what a chip does, by its data sheet. [`SensorResponse`] is what is known of a response in
//! general, whoever measured it: one window behind one lag.

mod chip;
mod family;
mod response;

pub use chip::{ChipSettings, INA_AVERAGES, INA_CONVERSIONS};
pub use family::SensorFamily;
pub use response::SensorResponse;
