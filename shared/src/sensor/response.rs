//! What is known of a sensor's response, in one form for every sensor.

use super::family::SensorFamily;
use crate::units::{Micros, Millis};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// A sensor's response, as far as it is known: a reading is the mean over a window of the power behind a first-order lag.
///
/// The reading that is renewed at time `r` is the mean over `[r − delay − window, r − delay]` of `y`, where
/// `dy/dt = (P − y)/lag` and `P` is the load.
///
/// ```
/// use shared::run_folder::Sensor;
/// use shared::sensor::SensorResponse;
/// use shared::units::Micros;
///
/// let manifest = Sensor { refresh_ns: Some(2_200_000), window_ns: Some(1_100_000), ..Sensor::default() };
/// let given = SensorResponse { window: Some(Micros(900.0)), ..SensorResponse::default() };
/// let known = given.or(SensorResponse::from(&manifest));
/// assert_eq!((known.refresh, known.window, known.lag), (Some(Micros(2200.0)), Some(Micros(900.0)), None));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SensorResponse {
    /// Time between renewals of the reading.
    pub refresh: Option<Micros>,
    /// Length of the window that a reading is the mean of; more than zero.
    pub window: Option<Micros>,
    /// Time constant of a first-order lag before the window; 0 is none.
    pub lag: Option<Micros>,
    /// How long before the moment of a renewal the window ends.
    pub delay: Option<Micros>,
}

impl SensorResponse {
    /// What is known here, and for the rest what `other` knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            refresh: self.refresh.or(other.refresh),
            window: self.window.or(other.window),
            lag: self.lag.or(other.lag),
            delay: self.delay.or(other.delay),
        }
    }
}

impl From<SensorFamily> for SensorResponse {
    /// A family's response as one window behind one lag. It is exact for [`SensorFamily::Window`], [`SensorFamily::Meter`],
    /// [`SensorFamily::Counter`] and [`SensorFamily::Filtered`]. A recursive filter becomes its time constant, and a block
    /// becomes the window from its first conversion to its last: whoever needs the gaps in between uses the family itself.
    fn from(family: SensorFamily) -> Self {
        let (window, lag) = match family {
            SensorFamily::Window { window, .. } => (Some(window), Micros(0.0)),
            SensorFamily::Block { samples, conversion, spacing } => {
                (Some(spacing * f64::from(samples.saturating_sub(1)) + conversion), Micros(0.0))
            }
            SensorFamily::Recursive { conversion, .. } => (Some(conversion), family.time_constant()),
            SensorFamily::Meter { period } => (Some(period), Micros(0.0)),
            SensorFamily::Counter { refresh } => (Some(refresh), Micros(0.0)),
            SensorFamily::Filtered { lag, .. } => (None, lag),
        };
        Self {
            refresh: Some(family.refresh()),
            window: window.filter(|window| window.0 > 0.0),
            lag: Some(lag),
            delay: None,
        }
    }
}

impl Serialize for SensorResponse {
    /// In milliseconds, under names that say so: `refresh_ms`, `window_ms`, `lag_ms`, `delay_ms`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = |time: Option<Micros>| time.map(Millis::from);
        let mut fields = serializer.serialize_struct("SensorResponse", 4)?;
        fields.serialize_field("refresh_ms", &millis(self.refresh))?;
        fields.serialize_field("window_ms", &millis(self.window))?;
        fields.serialize_field("lag_ms", &millis(self.lag))?;
        fields.serialize_field("delay_ms", &millis(self.delay))?;
        fields.end()
    }
}
