//! The kinds of power sensors, by what their data sheets say that they do.

use crate::units::Micros;
use serde::{Deserialize, Serialize};

/// What a power sensor does to the load before a reading can be read.
///
/// A register is *renewed* when it takes a new value; in between it repeats the old one. Times below count backwards from
/// a renewal at `r`. None of the families contains what lies in front of the chip (regulators and bulk capacitors smooth
/// the current over some 0.05 to 2 ms) or the time that passes until a reading is fetched.
///
/// ```
/// use shared::sensor::SensorFamily;
/// use shared::units::Micros;
///
/// // An INA3221 as JetPack sets it at boot: 512 averages over three channels of 140 µs conversions.
/// let boot = SensorFamily::Recursive { samples: 512, conversion: Micros(140.0), cycle: Micros(840.0) };
/// assert_eq!(boot.refresh(), Micros(840.0));
/// assert!((boot.duty() - 1.0 / 6.0).abs() < 1e-12);
/// assert!((boot.mean_delay().0 - 429_310.0).abs() < 1.0);
/// let json = serde_json::to_string(&boot).expect("serialises");
/// assert_eq!(json, r#"{"family":"recursive","samples":512,"conversion_us":140.0,"cycle_us":840.0}"#);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SensorFamily {
    /// The mean power over `[r − window, r]`, renewed every `refresh`: one conversion of an integrating converter.
    ///
    /// INA3221, INA226 and INA238 without averaging: the window is the conversion of the shunt's voltage, the refresh is the
    /// cycle of all conversions. Data-centre GPUs through NVML: 25 ms of every 100 ms on A100 and H100 (Yang, Adamek and
    /// Armour, arXiv 2312.02741).
    Window {
        /// Time between renewals.
        #[serde(rename = "refresh_us")]
        refresh: Micros,
        /// Length of the window; 0 is the power at the moment of the renewal.
        #[serde(rename = "window_us")]
        window: Micros,
    },
    /// The mean over `samples` conversions, loaded into the register once: the mean power over the windows
    /// `[r − k·spacing − conversion, r − k·spacing]`, k = 0 … samples − 1. Renewed every `samples · spacing`.
    ///
    /// INA226, INA230, INA231 (TI SBOS547, "Averaging and conversion time considerations"), INA228, INA229, INA238 (TI
    /// SLYS023, "ADC conversion time and averaging"): intermediate results are accumulated after every conversion, and the
    /// output registers are loaded when the set number is complete. Shunt, bus and, in the INA238, temperature take turns, so
    /// that the current is seen during a part of the block only. The registers are loaded when the last conversion of the
    /// turn is complete, which may be the bus voltage's: such a delay is the same for all readings and is not part of
    /// the family.
    Block {
        /// Conversions that are averaged.
        samples: u32,
        /// Length of one conversion of the current.
        #[serde(rename = "conversion_us")]
        conversion: Micros,
        /// Time from the start of one conversion of the current to the start of the next.
        #[serde(rename = "spacing_us")]
        spacing: Micros,
    },
    /// A first-order recursive filter that is updated after every conversion: register += (conversion − register)/samples,
    /// once per `cycle`. A reading is the weighted mean of the windows `[r − k·cycle − conversion, r − k·cycle]` with the
    /// weights `(1/samples)(1 − 1/samples)^k`, k = 0, 1, ….
    ///
    /// INA3221, the chip of most Jetson boards (TI SBOS576, "Averaging function"). Enabled channels are converted in turn,
    /// shunt and bus voltage of each, so that a channel's current is seen only during its own shunt conversion. The
    /// register is renewed every cycle, not every `samples` cycles.
    Recursive {
        /// The number of averages, AVG; 1 is the last conversion alone.
        samples: u32,
        /// Length of one conversion of the current.
        #[serde(rename = "conversion_us")]
        conversion: Micros,
        /// Time between two conversions of the current.
        #[serde(rename = "cycle_us")]
        cycle: Micros,
    },
    /// The mean power over the whole time since the renewal before: a meter that loses nothing.
    ///
    /// External meters: PowerSensor3 at 20 kHz, and others that add up faster samples.
    Meter {
        /// Time between renewals, and the length of the mean.
        #[serde(rename = "period_us")]
        period: Micros,
    },
    /// An energy counter. A power is the difference of two counts over the time between the *readings*, so that its
    /// window begins and ends at renewals, and the division has the error of up to one refresh.
    ///
    /// RAPL (Intel SDM volume 3, "Platform specific power management": updated about every 1 ms) and the energy counter of NVML.
    Counter {
        /// Time between renewals of the count.
        #[serde(rename = "refresh_us")]
        refresh: Micros,
    },
    /// The power behind an analogue or digital first-order lag, as it is at the renewal: `dy/dt = (P − y)/lag`.
    ///
    /// The K20's sensor (Burtscher, Zecena and Zong, GPGPU-7, 2014) and others whose averaging is not documented.
    Filtered {
        /// Time between renewals.
        #[serde(rename = "refresh_us")]
        refresh: Micros,
        /// The time constant.
        #[serde(rename = "lag_us")]
        lag: Micros,
    },
}

impl SensorFamily {
    /// The family's name, as in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Window { .. } => "window",
            Self::Block { .. } => "block",
            Self::Recursive { .. } => "recursive",
            Self::Meter { .. } => "meter",
            Self::Counter { .. } => "counter",
            Self::Filtered { .. } => "filtered",
        }
    }

    /// Time between renewals of the reading.
    #[must_use]
    pub fn refresh(self) -> Micros {
        match self {
            Self::Window { refresh, .. } | Self::Counter { refresh } | Self::Filtered { refresh, .. } => refresh,
            Self::Block { samples, spacing, .. } => spacing * f64::from(samples),
            Self::Recursive { cycle, .. } => cycle,
            Self::Meter { period } => period,
        }
    }

    /// The share of time in which the sensor sees the load at all, 0 to 1. Power outside it never enters a reading.
    #[must_use]
    pub fn duty(self) -> f64 {
        let share = match self {
            Self::Window { refresh, window } => window / refresh,
            Self::Block { conversion, spacing, .. } => conversion / spacing,
            Self::Recursive { conversion, cycle, .. } => conversion / cycle,
            Self::Meter { .. } | Self::Counter { .. } | Self::Filtered { .. } => 1.0,
        };
        share.clamp(0.0, 1.0)
    }

    /// How old the power in a reading is on average, at the moment of the renewal: the first moment of the response.
    /// A change of the load appears in readings later by this time on average.
    #[must_use]
    pub fn mean_delay(self) -> Micros {
        match self {
            Self::Window { window, .. } => window * 0.5,
            Self::Block { samples, conversion, spacing } => {
                conversion * 0.5 + spacing * (0.5 * f64::from(samples.saturating_sub(1)))
            }
            // Σ k·(1/n)(1 − 1/n)^k = n − 1.
            Self::Recursive { samples, conversion, cycle } => {
                conversion * 0.5 + cycle * f64::from(samples.saturating_sub(1))
            }
            Self::Meter { period } => period * 0.5,
            Self::Counter { refresh } => refresh * 0.5,
            Self::Filtered { lag, .. } => lag,
        }
    }

    /// The time constant of the decay after a step: a recursive filter keeps 1 − 1/n of its value per cycle, thus
    /// `−cycle / ln(1 − 1/n)`. 0 for families that forget completely.
    #[must_use]
    pub fn time_constant(self) -> Micros {
        match self {
            Self::Recursive { samples, cycle, .. } if samples > 1 => cycle / -(-1.0 / f64::from(samples)).ln_1p(),
            Self::Filtered { lag, .. } => lag,
            _ => Micros(0.0),
        }
    }

    /// Whether the numbers describe a sensor.
    ///
    /// # Errors
    /// A sentence naming the value.
    pub fn check(self) -> Result<(), String> {
        let positive = |name: &str, time: Micros| match time.0.is_finite() && time.0 > 0.0 {
            true => Ok(()),
            false => Err(format!("`{name}` is {} µs, it needs to be more than zero", time.0)),
        };
        let within = |name: &str, time: Micros, whole: &str, limit: Micros| match (0.0..=limit.0).contains(&time.0) {
            true => Ok(()),
            false => Err(format!("`{name}` is {} µs, it needs to be 0 to `{whole}`, {} µs", time.0, limit.0)),
        };
        let counted = |samples: u32| match (1..=1 << 16).contains(&samples) {
            true => Ok(()),
            false => Err(format!("`samples` is {samples}, it needs to be 1 to 65536")),
        };
        match self {
            // A window may be longer than the refresh: a running mean.
            Self::Window { refresh, window } => {
                positive("refresh", refresh)?;
                within("window", window, "1,000 refreshes", refresh * 1000.0)
            }
            Self::Block { samples, conversion, spacing } => {
                counted(samples)?;
                positive("spacing", spacing)?;
                positive("conversion", conversion)?;
                within("conversion", conversion, "spacing", spacing)
            }
            Self::Recursive { samples, conversion, cycle } => {
                counted(samples)?;
                positive("cycle", cycle)?;
                positive("conversion", conversion)?;
                within("conversion", conversion, "cycle", cycle)
            }
            Self::Meter { period } => positive("period", period),
            Self::Counter { refresh } => positive("refresh", refresh),
            Self::Filtered { refresh, lag } => {
                positive("refresh", refresh)?;
                within("lag", lag, "1,000 s", Micros(1e9))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> [SensorFamily; 6] {
        let us = Micros;
        [
            SensorFamily::Window { refresh: us(2200.0), window: us(1100.0) },
            SensorFamily::Block { samples: 4, conversion: us(140.0), spacing: us(840.0) },
            SensorFamily::Recursive { samples: 16, conversion: us(140.0), cycle: us(840.0) },
            SensorFamily::Meter { period: us(50.0) },
            SensorFamily::Counter { refresh: us(1000.0) },
            SensorFamily::Filtered { refresh: us(100_000.0), lag: us(800_000.0) },
        ]
    }

    #[test]
    fn every_family_survives_json_under_its_name() {
        for family in families() {
            assert_eq!(family.check(), Ok(()));
            let value = serde_json::to_value(family).expect("serialises");
            assert_eq!(value["family"], family.name());
            assert_eq!(serde_json::from_value::<SensorFamily>(value).expect("reads"), family);
        }
        assert!(serde_json::from_str::<SensorFamily>(r#"{"family":"meter","period_us":50,"lag_us":1}"#).is_err());
    }

    /// Delay and time constant against sums over the windows of the definitions.
    #[test]
    fn delays_are_the_first_moments_of_the_definitions() {
        let [_, block, recursive, ..] = families();
        let block_sum: f64 = (0..4).map(|k| (f64::from(k) * 840.0 + 70.0) / 4.0).sum();
        assert!((block.mean_delay().0 - block_sum).abs() < 1e-9);
        let weight = |k: i32| (15.0_f64 / 16.0).powi(k) / 16.0;
        let recursive_sum: f64 = (0..2_000).map(|k| weight(k) * (f64::from(k) * 840.0 + 70.0)).sum();
        assert!((recursive.mean_delay().0 - recursive_sum).abs() < 1e-6);
        let kept = (-recursive.refresh().0 / recursive.time_constant().0).exp();
        assert!((kept - 15.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn a_family_that_describes_no_sensor_is_refused() {
        let us = Micros;
        for (bad, says) in [
            (SensorFamily::Window { refresh: us(0.0), window: us(0.0) }, "refresh"),
            (SensorFamily::Block { samples: 0, conversion: us(140.0), spacing: us(280.0) }, "samples"),
            (SensorFamily::Recursive { samples: 4, conversion: us(900.0), cycle: us(840.0) }, "conversion"),
            (SensorFamily::Meter { period: us(f64::NAN) }, "period"),
            (SensorFamily::Filtered { refresh: us(1.0), lag: us(-1.0) }, "lag"),
        ] {
            assert!(bad.check().expect_err("must fail").contains(says), "{bad:?}");
        }
    }
}
