//! The sensor's response at which a fit stands.

use shared::sensor::SensorResponse;
use shared::units::Micros;

/// A sensor's response with every part decided, in microseconds, and the gap between layers that goes with it: the point
/// at which a fit stands. [`SensorResponse`] says what is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FittedResponse {
    /// Length of the window that a reading is the mean of; 0 takes the power at one instant.
    pub window_us: f64,
    /// Time constant of a first-order lag before the window; 0 is none. With a lag the window is not resolved.
    pub lag_us: f64,
    /// How long before the moment of the reading the window ends.
    pub delay_us: f64,
    /// Time between one layer and the next where stamps do not tell it. It is the timeline's, found with the rest.
    pub gap_us: f64,
}

impl From<FittedResponse> for SensorResponse {
    /// The sensor's part of it. How often the sensor renews its reading is not part of a fit.
    fn from(fitted: FittedResponse) -> Self {
        Self {
            refresh: None,
            window: Some(Micros(fitted.window_us)),
            lag: Some(Micros(fitted.lag_us)),
            delay: Some(Micros(fitted.delay_us)),
        }
    }
}
