//! Physical quantities as types, so that watts are never added to milliamps.
//!
//! Each is a plain `f64` in the unit of its name. Only products that mean something are implemented.
//!
//! ```
//! use shared::units::{Micros, Millijoules, Millis, Watts};
//!
//! let layer: Millis = Micros(250.0).into();
//! assert_eq!(Watts(6.0) * layer, Millijoules(1.5));
//! ```

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $symbol:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self(self.0 + other.0) }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { self.0 += other.0; }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self(self.0 - other.0) }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self { Self(self.0 * factor) }
        }
        impl Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self { Self(self.0 / divisor) }
        }
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 { self.0 / other.0 }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(values: I) -> Self { values.fold(Self(0.0), |sum, value| sum + value) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match f.precision() {
                    Some(p) => write!(f, "{:.*} {}", p, self.0, $symbol),
                    None => write!(f, "{} {}", self.0, $symbol),
                }
            }
        }
    };
}

quantity!(
    /// Power in watts.
    Watts, "W");
quantity!(
    /// Power in microwatts, the unit of EdgeProfiler's tables.
    Microwatts, "µW");
quantity!(
    /// Time in milliseconds.
    Millis, "ms");
quantity!(
    /// Time in microseconds.
    Micros, "µs");
quantity!(
    /// Time in nanoseconds.
    Nanos, "ns");
quantity!(
    /// Energy in millijoules: one watt for one millisecond.
    Millijoules, "mJ");
quantity!(
    /// Electric potential in millivolts.
    Millivolts, "mV");
quantity!(
    /// Electric current in milliamperes.
    Milliamps, "mA");

impl Mul<Millis> for Watts {
    type Output = Millijoules;
    fn mul(self, time: Millis) -> Millijoules {
        Millijoules(self.0 * time.0)
    }
}

impl Div<Millis> for Millijoules {
    type Output = Watts;
    fn div(self, time: Millis) -> Watts {
        Watts(self.0 / time.0)
    }
}

impl From<Nanos> for Micros {
    fn from(time: Nanos) -> Self {
        Self(time.0 / 1e3)
    }
}

impl From<Micros> for Millis {
    fn from(time: Micros) -> Self {
        Self(time.0 / 1e3)
    }
}

impl From<Millis> for Micros {
    fn from(time: Millis) -> Self {
        Self(time.0 * 1e3)
    }
}

impl From<Microwatts> for Watts {
    fn from(power: Microwatts) -> Self {
        Self(power.0 * 1e-6)
    }
}

impl From<Watts> for Microwatts {
    fn from(power: Watts) -> Self {
        Self(power.0 * 1e6)
    }
}

impl Mul<Milliamps> for Millivolts {
    type Output = Watts;
    /// 1 mV × 1 mA = 1 µW.
    fn mul(self, current: Milliamps) -> Watts {
        Watts(self.0 * current.0 * 1e-6)
    }
}

impl Watts {
    /// From microwatts, the unit of EdgeProfiler's power columns.
    #[must_use]
    pub fn from_microwatts(microwatts: f64) -> Self {
        Self(microwatts * 1e-6)
    }

    /// In microwatts, the unit of EdgeProfiler's power columns.
    #[must_use]
    pub fn microwatts(self) -> f64 {
        self.0 * 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watt_for_a_millisecond_is_a_millijoule() {
        assert_eq!(Watts(6.0) * Millis(2.0), Millijoules(12.0));
        assert_eq!(Millijoules(12.0) / Millis(2.0), Watts(6.0));
    }

    #[test]
    fn millivolts_times_milliamps_are_microwatts() {
        let power = Millivolts(5008.0) * Milliamps(1096.0);
        assert!((power.microwatts() - 5_488_768.0).abs() < 1e-6);
    }

    #[test]
    fn times_and_powers_change_their_unit() {
        assert_eq!(Millis::from(Micros::from(Nanos(2_500_000.0))), Millis(2.5));
        assert_eq!(Micros::from(Millis(0.25)), Micros(250.0));
        assert_eq!(Watts::from(Microwatts(2_000_000.0)), Watts(2.0));
        assert_eq!(Microwatts::from(Watts(1.5)), Microwatts(1_500_000.0));
        assert_eq!(Micros(3.0) / Micros(2.0), 1.5);
    }

    #[test]
    fn display_honours_the_precision() {
        assert_eq!(format!("{:.2}", Watts(6.0636)), "6.06 W");
    }
}
