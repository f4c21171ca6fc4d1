//! What a figure was measured on or is predicted for: a board in a power mode, and what is known of both.

mod clocks;
mod hardware;
mod models;
mod name;

pub use clocks::Clocks;
pub use hardware::Hardware;
pub use models::{MODULES, Module, module_of};
pub use name::{DeviceName, DeviceNameError, nearest_devices};
