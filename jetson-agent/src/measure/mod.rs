//! The energy of a command: readings of power integrated over its time, less what the board draws anyway, with an
//! uncertainty.
//!
//! A linear sensor with gain one spreads a load over time and loses nothing of it: the integral of (reading − idle) over
//! the command and the sensor's settling is the integral of (load − idle) over the command, whatever the sensor's lag. Thus
//! the energy above idle is exact behind a slow sensor too, and the energy of the command is that plus idle power times
//! its duration.

mod accuracy;
mod baseline;
mod command;
mod estimate;
mod integral;
mod report;
mod run;

pub use accuracy::{Accuracy, accuracy};
pub use baseline::{Baseline, Idle};
pub use command::{NotStarted, Started, find_program, start};
pub use estimate::{Estimate, Part};
pub use integral::Integral;
pub use report::{CommandEnergy, RailEnergy, SensorSummary};
pub use run::{MeasurePlan, Measured, idle_time, measure, settling_time, sufficient_hz};
