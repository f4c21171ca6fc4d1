//! A measured rail and its sensor, as a manifest describes them.

use crate::sensor::{ChipSettings, SensorFamily, SensorResponse};
use crate::units::{Micros, Nanos};
use serde::{Deserialize, Serialize};

/// One measured rail.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rail {
    /// The label that the board gives it (`VDD_IN`).
    pub label: String,
    /// Where it is read: a sysfs path, a port, a device.
    pub place: String,
    /// Whether the voltage was measured; otherwise it is nominal, and only the product means something.
    pub voltage_measured: bool,
    /// How the sensor turns a load into readings.
    pub sensor: Sensor,
}

/// A sensor and its response. Zero or `None`: not known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sensor {
    /// The chip, by its driver's name: `ina3221`, `ina226`, `ina238`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chip: Option<String>,
    /// What the chip does with these settings; it says more than the three times below, which are kept for other readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<SensorFamily>,
    /// What the chip was set to when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<ChipSettings>,
    /// What it was set to when the run ended; `None` when the run was cut off or nothing can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_at_end: Option<ChipSettings>,
    /// Time between updates of its register in ns.
    pub refresh_ns: Option<u64>,
    /// Length of the boxcar that one reading averages over in ns, ending at the update. 0 is a point sample.
    pub window_ns: Option<u64>,
    /// Time constant of a first-order lag in ns, in series with the boxcar. 0 is none.
    pub lag_ns: Option<u64>,
    /// Step of a current reading in mA.
    pub quantum_ma: Option<f64>,
    /// Step of a voltage reading in mV.
    pub quantum_mv: Option<f64>,
    /// Standard deviation of a reading's noise in mA.
    pub noise_ma: Option<f64>,
    /// Shunt in µΩ.
    pub shunt_micro_ohm: Option<u64>,
    /// The driver's `samples` setting, as read.
    pub samples: Option<u64>,
    /// The driver's `update_interval` in ms, as read. Its meaning depends on the kernel.
    pub update_interval_ms: Option<u64>,
    /// Where the figures come from: `measured`, `driver`, `data sheet`, `configured`, `assumed`.
    pub known_from: Option<String>,
}

impl Sensor {
    /// The sensor with a family, and with the three times that follow from it.
    #[must_use]
    pub fn with_family(self, family: SensorFamily) -> Self {
        let response = SensorResponse::from(family);
        let ns = |time: Option<Micros>| time.map(|time| (time.0 * 1e3).round() as u64);
        Self {
            family: Some(family),
            refresh_ns: ns(response.refresh),
            window_ns: ns(response.window.or(Some(Micros(0.0)))),
            lag_ns: ns(response.lag),
            ..self
        }
    }

    /// What differs between the settings at the run's start and at its end; empty when nothing does or one is not known.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        let (Some(start), Some(end)) = (&self.settings, &self.settings_at_end) else { return Vec::new() };
        fn change<T: PartialEq + std::fmt::Debug>(name: &str, start: &Option<T>, end: &Option<T>) -> Option<String> {
            match (start, end) {
                (Some(start), Some(end)) if start != end => Some(format!("{name} was {start:?} and became {end:?}")),
                _ => None,
            }
        }
        let us = |time: Option<Micros>| time.map(|time| time.0);
        [
            change("averaging", &start.averaging, &end.averaging),
            change("shunt conversion (µs)", &us(start.shunt_conversion), &us(end.shunt_conversion)),
            change("bus conversion (µs)", &us(start.bus_conversion), &us(end.bus_conversion)),
            change("enabled channels", &start.channels, &end.channels),
            change("shunt (µΩ)", &start.shunt_micro_ohm, &end.shunt_micro_ohm),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl From<&Sensor> for SensorResponse {
    /// What a manifest says of a rail's sensor. A window of zero means that it is not known.
    fn from(sensor: &Sensor) -> Self {
        let micros = |ns: Option<u64>| ns.map(|ns| Micros::from(Nanos(ns as f64)));
        Self {
            refresh: micros(sensor.refresh_ns),
            window: micros(sensor.window_ns).filter(|window| window.0 > 0.0),
            lag: micros(sensor.lag_ns),
            delay: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_of_an_earlier_version_reads_and_says_nothing_of_its_chip() {
        let old = r#"{"refresh_ns":2200000,"window_ns":1100000,"lag_ns":0,"quantum_ma":8.0,"quantum_mv":8.0,
            "noise_ma":null,"shunt_micro_ohm":5000,"samples":1,"update_interval_ms":2,"known_from":"driver"}"#;
        let sensor: Sensor = serde_json::from_str(old).expect("reads");
        assert_eq!((sensor.chip.as_deref(), sensor.family), (None, None));
        assert_eq!(SensorResponse::from(&sensor).window, Some(Micros(1100.0)));
        let written = serde_json::to_string(&sensor).expect("serialises");
        assert!(!written.contains("family") && !written.contains("chip"), "{written}");
    }

    #[test]
    fn a_family_fills_the_times_that_other_readers_use() {
        let family = SensorFamily::Recursive { samples: 512, conversion: Micros(140.0), cycle: Micros(840.0) };
        let sensor = Sensor::default().with_family(family);
        assert_eq!((sensor.refresh_ns, sensor.window_ns), (Some(840_000), Some(140_000)));
        // 512 · 0.84 ms less half a cycle.
        assert!(sensor.lag_ns.is_some_and(|lag| lag.abs_diff(429_660_000) < 10_000), "{:?}", sensor.lag_ns);
        let back: Sensor = serde_json::from_value(serde_json::to_value(&sensor).expect("serialises")).expect("reads");
        assert_eq!(back, sensor);
    }

    #[test]
    fn a_change_during_the_run_is_named() {
        let settings = ChipSettings { averaging: Some(1), channels: Some(vec![1]), ..ChipSettings::default() };
        let mut sensor = Sensor { settings: Some(settings.clone()), ..Sensor::default() };
        assert!(sensor.changes().is_empty());
        sensor.settings_at_end = Some(ChipSettings { averaging: Some(512), ..settings });
        assert_eq!(sensor.changes(), ["averaging was 1 and became 512"]);
    }
}
