//! The two things that a fit brings together: the run's load over time, and the sensor's readings.
//!
//! Times are microseconds of the run's clock (after the power log's first reading), powers watts: plain numbers, for the
//! inner loops of the fit work on them.

/// Component number of time outside every inference: readings that saw it are left out.
pub const EXCLUDED: u32 = u32::MAX;

/// Constant load until an instant: contiguous pieces make up the run's timeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Its end; it begins where the piece before it ended. Microseconds of the run's clock.
    pub end_us: f64,
    /// The layer, the number of layers for time outside them, or [`EXCLUDED`].
    pub component: u32,
}

/// A renewed reading of the sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was renewed, microseconds of the run's clock.
    pub at_us: f64,
    /// Power in watts.
    pub watts: f64,
}
