//! Which board, in which mode: what is public about Jetson modules, and how time and power follow clocks and boards.
//!
//! - [`modes`]: the power modes and peaks of public modules, each with its source;
//! - [`time_law`]: the time of a layer or network at other clocks, from one or more that were measured;
//! - [`power_law`]: the same for power;
//! - [`transfer`]: times on another board, from none or a few measurements on it;
//! - [`choice`]: the best of several candidates within a limit, the Pareto front, and how probable it is that the limit is met.
//!
//! Nothing here knows models, files or the command line.

mod linear_algebra;
mod normal;

pub mod choice;
pub mod modes;
pub mod power_law;
pub mod time_law;
pub mod transfer;

pub use normal::{probability_below, quantile};
