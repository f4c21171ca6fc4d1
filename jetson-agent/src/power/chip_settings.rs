//! What a chip under hwmon is set to, as far as its files say it.
//!
//! The driver of the INA3221 shows AVG (`samples`), which channels take turns (`inN_enable`) and one `update_interval` in
//! whole milliseconds (kernel documentation `hwmon/ina3221.rst`): channels · AVG · (bus + shunt conversion), in NVIDIA's and in
//! newer kernels without AVG. It sets both conversion times alike. The conversion times themselves are not shown: they are those
//! of the chip's eight that give this interval. Where two do, the shorter one is assumed, and the settings say so.

use super::chips::Chip;
use super::sysfs::{read_number, read_text};
use shared::sensor::{ChipSettings, INA_CONVERSIONS};
use shared::units::Micros;
use std::path::Path;

/// What the INA238's driver writes when it starts (Linux, `drivers/hwmon/ina238.c`): AVG 16, 1,052 µs for every conversion.
const INA238_DRIVER: (u32, Micros) = (16, Micros(1052.0));

/// The settings of a chip, as they concern one of its channels.
pub(super) fn settings(folder: &Path, chip: &Chip, channel: u32) -> ChipSettings {
    let positive = |name: &str| read_number(&folder.join(name)).and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
    let shunt_micro_ohm = positive(&format!("shunt{channel}_resistor")).or_else(|| positive("shunt_resistor"));
    let averaging = positive("samples").and_then(|samples| u32::try_from(samples).ok());
    match chip.name {
        "ina3221" => {
            let channels: Vec<u32> = (1..=3).filter(|number| is_enabled(folder, *number)).collect();
            let interval = read_number(&folder.join("update_interval")).and_then(|ms| u64::try_from(ms).ok());
            let conversion = interval.and_then(|ms| conversion_of(ms, averaging?, channels.len()));
            ChipSettings {
                averaging,
                shunt_conversion: conversion.map(|(time, _)| time),
                bus_conversion: conversion.map(|(time, _)| time),
                channels: Some(channels),
                shunt_micro_ohm,
                conversions_from: conversion.map(|(_, from)| from.to_owned()),
            }
        }
        // Kernels whose driver shows `samples` let both be changed; what the conversion times are then is not known.
        "ina238" => {
            let untouched = read_text(&folder.join("samples")).is_none();
            let conversion = untouched.then_some(INA238_DRIVER.1);
            ChipSettings {
                averaging: if untouched { Some(INA238_DRIVER.0) } else { averaging },
                shunt_conversion: conversion,
                bus_conversion: conversion,
                channels: Some(vec![1]),
                shunt_micro_ohm,
                conversions_from: conversion.map(|_| "driver".to_owned()),
            }
        }
        // What the other drivers show does not tell the conversion times.
        _ => ChipSettings { averaging, channels: Some(vec![channel]), shunt_micro_ohm, ..ChipSettings::default() },
    }
}

/// The settings of the chip that is read at a rail's place, `…/hwmonN/currM_input`, as they stand now.
#[must_use]
pub fn settings_at(place: &str) -> Option<ChipSettings> {
    let (folder, file) = place.rsplit_once('/')?;
    let channel = file.strip_prefix("curr")?.strip_suffix("_input")?.parse().ok()?;
    let folder = Path::new(folder);
    Some(settings(folder, Chip::of(&read_text(&folder.join("name"))?)?, channel))
}

/// Whether a channel takes its turn. Drivers without the switch convert every channel that they show.
pub(super) fn is_enabled(folder: &Path, channel: u32) -> bool {
    match read_number(&folder.join(format!("in{channel}_enable"))) {
        Some(enabled) => enabled != 0,
        None => folder.join(format!("curr{channel}_input")).exists(),
    }
}

/// The conversion time that gives an `update_interval`, for either meaning of that file, and whether it is the only one.
pub(super) fn conversion_of(interval_ms: u64, averaging: u32, channels: usize) -> Option<(Micros, &'static str)> {
    let gives = |time: &Micros, averaging: u32| {
        let us = 2.0 * time.0 * channels as f64 * f64::from(averaging);
        (us / 1e3).round() as u64 == interval_ms
    };
    let mut matching = INA_CONVERSIONS.iter().filter(|time| gives(time, averaging) || gives(time, 1));
    let first = matching.next()?;
    Some((*first, if matching.next().is_none() { "update_interval" } else { "assumed" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_meanings_of_the_interval_lead_to_the_conversion_time() {
        // JetPack's boot setting, with and without AVG in the interval; the chip's reset; one channel at 140 µs.
        assert_eq!(conversion_of(430, 512, 3), Some((Micros(140.0), "update_interval")));
        assert_eq!(conversion_of(1, 512, 3), Some((Micros(140.0), "assumed")));
        assert_eq!(conversion_of(7, 1, 3), Some((Micros(1100.0), "update_interval")));
        assert_eq!(conversion_of(7, 512, 3), Some((Micros(1100.0), "update_interval")));
        assert_eq!(conversion_of(3379, 512, 3), Some((Micros(1100.0), "update_interval")));
        assert_eq!(conversion_of(0, 1, 1), Some((Micros(140.0), "assumed")));
        assert_eq!(conversion_of(430, 1, 3), None);
        assert_eq!(conversion_of(1, 1, 0), None);
    }
}
