//! A board whose every watt is known: load, sensor and time are simulated, so that what a run folder says can be held
//! against the truth.
//!
//! The load ([`Load`]) draws constant power in each layer and in each gap, so it is piecewise constant. The sensor
//! ([`SensorModel`]) answers through a boxcar window and a first-order lag, updates its register at fixed times, adds
//! noise and rounds to its quantum. Both filters are integrated in closed form over each constant piece: there is no
//! time step, and no error but rounding. Everything random comes from one seed.

pub mod architectures;
mod load;
mod sensor;
mod virtual_run;

pub use load::{Cycle, CyclePlanner, Load, LoadLayer, Piece};
pub use sensor::{PollModel, Poller, SensorFilter, SensorModel};
pub use virtual_run::{LayerTruth, PassPlan, Truth, VirtualRun, simulate, stamp_layers};
