//! From a run's logs to per-layer power and energy, each with its uncertainty.

pub mod latency;
pub mod power;
pub mod stamp;
