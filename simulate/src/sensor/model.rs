//! What a simulated sensor is, and the sensors that have a name.

use serde::{Deserialize, Serialize};
use shared::sensor::SensorFamily;
use shared::units::Micros;

/// A sensor. Load, then smoothing, then the chip's family ([`SensorFamily`]), then rounding.
///
/// ```
/// use shared::sensor::SensorFamily;
/// use simulate::SensorModel;
///
/// let boot = SensorModel::named("ina3221-boot").expect("has a name");
/// assert!(matches!(boot.family, SensorFamily::Recursive { samples: 512, .. }));
/// let smoothed = SensorModel { smoothing_ns: 200_000, ..boot };
/// assert_eq!(smoothed.check(), Ok(()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorModel {
    /// What the chip does.
    pub family: SensorFamily,
    /// Time constant of regulators and bulk capacitors in front of the chip, ns: 50,000 to 2,000,000 on boards; 0 is none.
    #[serde(default)]
    pub smoothing_ns: u64,
    /// From a renewal to the moment at which a reader sees it, ns: a bus conversion that comes after the shunt's, and the bus
    /// between chip and program.
    #[serde(default)]
    pub delay_ns: u64,
    /// How much slower than its data sheet the chip's clock runs, relative: 0.03 makes every time 3 % longer.
    #[serde(default)]
    pub clock_error: f64,
    /// Bus voltage, mV: constant.
    pub bus_mv: f64,
    /// Step of the register, mA; 0 is none.
    pub quantum_ma: f64,
    /// Standard deviation of each conversion's noise, before any averaging, mA.
    pub noise_ma: f64,
    /// Step of a single conversion, before any averaging, mA; 0 is none.
    #[serde(default)]
    pub conversion_quantum_ma: f64,
    /// Step of what a recursive filter keeps between conversions, mA; 0 keeps everything. The data sheet does not give it.
    #[serde(default)]
    pub state_quantum_ma: f64,
    /// Step of an energy counter, µJ; 0 is none.
    #[serde(default)]
    pub energy_quantum_uj: f64,
    /// A streaming meter's USB delivers its readings in batches of this length, ns; 0 is one by one.
    #[serde(default)]
    pub batch_ns: u64,
    /// Scale of the delay that a batch's stamps share, ns: half-normal, drawn once per batch.
    #[serde(default)]
    pub batch_jitter_ns: u64,
}

type Named = (&'static str, fn() -> SensorModel);

/// Every name with its sensor, in the order of the help text.
const NAMES: [Named; 13] = [
    ("ideal", SensorModel::ideal_meter),
    ("powersensor3", SensorModel::powersensor3),
    ("ina3221-fastest", || SensorModel::ina3221(1, 140.0, 1)),
    ("ina3221-fast", SensorModel::ina3221_fast),
    ("ina3221-avg1", || SensorModel::ina3221(1, 140.0, 3)),
    ("ina3221-reset", || SensorModel::ina3221(1, 1100.0, 3)),
    ("ina3221-boot", SensorModel::ina3221_boot),
    ("ina219", SensorModel::ina219),
    ("ina226", SensorModel::ina226),
    ("ina238", SensorModel::ina238),
    ("rapl", SensorModel::rapl),
    ("nvml", SensorModel::nvml),
    ("k20", SensorModel::k20),
];

impl SensorModel {
    /// A family on a 5 V bus without noise, rounding or anything in front of it.
    #[must_use]
    pub fn plain(family: SensorFamily) -> Self {
        Self {
            family,
            smoothing_ns: 0,
            delay_ns: 0,
            clock_error: 0.0,
            bus_mv: 5_000.0,
            quantum_ma: 0.0,
            noise_ma: 0.0,
            conversion_quantum_ma: 0.0,
            state_quantum_ma: 0.0,
            energy_quantum_uj: 0.0,
            batch_ns: 0,
            batch_jitter_ns: 0,
        }
    }

    /// A meter at 20 kHz that averages over its own period, without noise: PowerSensor3's rate, better than its noise.
    #[must_use]
    pub fn ideal_meter() -> Self {
        Self::plain(SensorFamily::Meter { period: Micros(50.0) })
    }

    /// PowerSensor3: 20 kHz, delivered by USB in batches of a millisecond. The noise of its Hall sensor and the jitter of USB are
    /// assumed.
    #[must_use]
    pub fn powersensor3() -> Self {
        Self {
            bus_mv: 12_000.0,
            quantum_ma: 10.0,
            noise_ma: 40.0,
            batch_ns: 1_000_000,
            batch_jitter_ns: 100_000,
            ..Self::ideal_meter()
        }
    }

    /// An INA3221 with AVG, a conversion time of shunt and bus in µs, and a number of enabled channels; 40 µV over 5 mΩ. A
    /// conversion's noise, half a step, is assumed.
    #[must_use]
    pub fn ina3221(averaging: u32, conversion: f64, channels: u32) -> Self {
        let cycle = Micros(2.0 * conversion * f64::from(channels));
        let family = SensorFamily::Recursive { samples: averaging, conversion: Micros(conversion), cycle };
        Self { bus_mv: 5_008.0, quantum_ma: 8.0, conversion_quantum_ma: 8.0, noise_ma: 4.0, ..Self::plain(family) }
    }

    /// An INA3221 with one channel enabled, conversions of 1.1 ms and no averaging: renewed every 2.2 ms, half of it seen.
    #[must_use]
    pub fn ina3221_fast() -> Self {
        Self::ina3221(1, 1100.0, 1)
    }

    /// An INA3221 as JetPack sets it at boot on Orin boards: AVG 512 over three channels of 140 µs conversions.
    #[must_use]
    pub fn ina3221_boot() -> Self {
        Self::ina3221(512, 140.0, 3)
    }

    /// An INA219 on a carrier board: single conversions of 12 bits, 532 µs each for shunt and bus; 10 µV over 0.1 Ω.
    #[must_use]
    pub fn ina219() -> Self {
        let family = SensorFamily::Window { refresh: Micros(1064.0), window: Micros(532.0) };
        Self { quantum_ma: 0.1, conversion_quantum_ma: 0.1, noise_ma: 0.3, ..Self::plain(family) }
    }

    /// An INA226 with AVG 4 and conversions of 140 µs: a comb of four windows, renewed every 1.12 ms; 2.5 µV over 5 mΩ.
    #[must_use]
    pub fn ina226() -> Self {
        let family = SensorFamily::Block { samples: 4, conversion: Micros(140.0), spacing: Micros(280.0) };
        Self { delay_ns: 140_000, quantum_ma: 0.5, conversion_quantum_ma: 0.5, noise_ma: 2.0, ..Self::plain(family) }
    }

    /// An INA238 as Linux's driver sets it: AVG 16, 1,052 µs each for bus, shunt and temperature; 5 µV over 2 mΩ.
    #[must_use]
    pub fn ina238() -> Self {
        let family = SensorFamily::Block { samples: 16, conversion: Micros(1052.0), spacing: Micros(3156.0) };
        Self {
            bus_mv: 19_000.0,
            delay_ns: 1_052_000,
            quantum_ma: 2.5,
            conversion_quantum_ma: 2.5,
            noise_ma: 2.0,
            ..Self::plain(family)
        }
    }

    /// Intel's RAPL: an energy counter renewed every millisecond in steps of 2⁻¹⁴ J. Power alone is known: 1 V nominal.
    #[must_use]
    pub fn rapl() -> Self {
        let family = SensorFamily::Counter { refresh: Micros(1000.0) };
        Self { bus_mv: 1_000.0, energy_quantum_uj: 1e6 / f64::from(1 << 14), ..Self::plain(family) }
    }

    /// NVML on an A100 or H100: 25 ms of every 100 ms (arXiv 2312.02741), in steps of a milliwatt at 1 V nominal.
    #[must_use]
    pub fn nvml() -> Self {
        let family = SensorFamily::Window { refresh: Micros(100_000.0), window: Micros(25_000.0) };
        Self { bus_mv: 1_000.0, quantum_ma: 1.0, ..Self::plain(family) }
    }

    /// A K20's sensor: sampled every 15 ms behind a lag of 0.84 s (Burtscher, Zecena and Zong, 2014).
    #[must_use]
    pub fn k20() -> Self {
        let family = SensorFamily::Filtered { refresh: Micros(15_000.0), lag: Micros(840_000.0) };
        Self { bus_mv: 1_000.0, quantum_ma: 10.0, ..Self::plain(family) }
    }

    /// The model of that name, see [`SensorModel::names`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, model)| model())
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Standard deviation of a reading's noise: of a conversion's, behind the averaging.
    #[must_use]
    pub fn reading_noise_ma(&self) -> f64 {
        let share = match self.family {
            SensorFamily::Block { samples, .. } => 1.0 / f64::from(samples),
            // Σ (1/n)²(1 − 1/n)^2k = 1/(2n − 1).
            SensorFamily::Recursive { samples, .. } => 1.0 / f64::from(2 * samples - 1),
            _ => 1.0,
        };
        self.noise_ma * share.sqrt()
    }

    /// Whether it describes a sensor.
    ///
    /// # Errors
    /// A sentence naming the value.
    pub fn check(&self) -> Result<(), String> {
        self.family.check()?;
        let numbers = [
            ("quantum_ma", self.quantum_ma),
            ("noise_ma", self.noise_ma),
            ("conversion_quantum_ma", self.conversion_quantum_ma),
            ("state_quantum_ma", self.state_quantum_ma),
            ("energy_quantum_uj", self.energy_quantum_uj),
        ];
        if let Some((name, value)) = numbers.into_iter().find(|(_, value)| !value.is_finite() || *value < 0.0) {
            return Err(format!("`{name}` is {value}, it needs to be zero or more"));
        }
        if !(self.bus_mv.is_finite() && self.bus_mv > 0.0) {
            return Err(format!("`bus_mv` is {}, it needs to be more than zero", self.bus_mv));
        }
        if !(-0.5..=1.0).contains(&self.clock_error) {
            return Err(format!("`clock_error` is {}, it needs to be −0.5 to 1", self.clock_error));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_sensor_and_survives_json() {
        for name in SensorModel::names() {
            let model = SensorModel::named(name).expect("has a name");
            assert_eq!(model.check(), Ok(()), "{name}");
            let back: SensorModel =
                serde_json::from_value(serde_json::to_value(model).expect("serialises")).expect("reads");
            assert_eq!(back, model, "{name}");
        }
        assert_eq!(SensorModel::named("another"), None);
        let text =
            r#"{"family": {"family": "meter", "period_us": 50}, "bus_mv": 5000, "quantum_ma": 0, "noise_ma": 0}"#;
        assert_eq!(serde_json::from_str::<SensorModel>(text).expect("reads"), SensorModel::ideal_meter());
    }

    #[test]
    fn what_is_no_sensor_is_named() {
        let bad = SensorModel { noise_ma: f64::NAN, ..SensorModel::ina226() };
        assert!(bad.check().expect_err("must fail").contains("noise_ma"));
        let bad = SensorModel { clock_error: -0.9, ..SensorModel::ina226() };
        assert!(bad.check().expect_err("must fail").contains("clock_error"));
    }
}
