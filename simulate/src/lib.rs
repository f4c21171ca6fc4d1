//! A board whose every watt is known: load, sensor and time are simulated, so that what a run folder says can be held
//! against the truth.
//!
//! The load ([`Load`]) draws constant power in each layer and in each gap, so it is piecewise constant. What spoils
//! measurements is part of it where asked for: leakage that follows the temperature, changes of the clock, layers whose
//! power follows the one before, late callbacks, lost cycles. The sensor ([`SensorModel`]) is written from the data
//! sheets of the chips: smoothing in front of the chip, conversions at times of the chip's own clock with noise and rounding,
//! then what the chip's family does with them. Smoothing and conversions are integrated in closed form over each
//! constant piece: there is no time step, and no error but rounding. Everything random comes from one seed.
//!
//! `benches/sensors` holds a second implementation of the sensors, in small steps of time; a test compares the two.

pub mod architectures;
mod cycle;
mod leakage;
mod load;
mod passes;
mod profiler;
mod sensor;
mod truth;
mod virtual_run;

pub use cycle::{Cycle, CyclePlanner, Piece};
pub use leakage::Leakage;
pub use load::{ClockChange, Load, LoadLayer};
pub use passes::PassPlan;
pub use profiler::ProfilerModel;
pub use sensor::{PollModel, Poller, Reader, Register, SensorFilter, SensorModel};
pub use truth::{LayerTruth, Truth};
pub use virtual_run::{VirtualRun, simulate};
