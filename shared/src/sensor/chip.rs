//! What a sensor chip is set to, and which family that makes it.

use super::family::SensorFamily;
use crate::units::Micros;
use serde::{Deserialize, Serialize};

/// Averages that the INA3221, INA226 and INA238 offer (TI SBOS576, SBOS547, SLYS023: AVG).
pub const INA_AVERAGES: [u32; 8] = [1, 4, 16, 64, 128, 256, 512, 1024];

/// Conversion times that the INA3221 and INA226 offer, in µs (TI SBOS576 and SBOS547: VSHCT and VBUSCT).
pub const INA_CONVERSIONS: [Micros; 8] = [
    Micros(140.0),
    Micros(204.0),
    Micros(332.0),
    Micros(588.0),
    Micros(1100.0),
    Micros(2116.0),
    Micros(4156.0),
    Micros(8244.0),
];

/// What a chip is set to at one moment. `None`: not known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChipSettings {
    /// Number of averages, AVG.
    pub averaging: Option<u32>,
    /// Length of a conversion of the shunt's voltage, which is the current.
    #[serde(rename = "shunt_conversion_us")]
    pub shunt_conversion: Option<Micros>,
    /// Length of a conversion of the bus voltage.
    #[serde(rename = "bus_conversion_us")]
    pub bus_conversion: Option<Micros>,
    /// Channels that take turns, by number from 1.
    pub channels: Option<Vec<u32>>,
    /// Shunt of this rail in µΩ.
    pub shunt_micro_ohm: Option<u64>,
    /// Where the conversion times come from: `update_interval`, `driver`, `data sheet`, `assumed`.
    pub conversions_from: Option<String>,
}

impl ChipSettings {
    /// The turn of all conversions: the time between two conversions of one channel's current. `None` when a part of it
    /// is not known. The INA238 converts its temperature in turn too, for as long as the bus voltage here.
    #[must_use]
    pub fn cycle(&self, chip: &str) -> Option<Micros> {
        let (shunt, bus) = (self.shunt_conversion?, self.bus_conversion?);
        match chip {
            "ina3221" => {
                let channels = self.channels.as_ref()?.len();
                (channels > 0).then(|| (shunt + bus) * channels as f64)
            }
            "ina226" | "ina230" | "ina231" | "ina219" => Some(shunt + bus),
            "ina228" | "ina229" | "ina237" | "ina238" => Some(shunt + bus + bus),
            _ => None,
        }
    }

    /// The family of a chip with these settings, by its data sheet; `chip` is the driver's name for it. `None` for an unknown
    /// chip, and when a setting that matters is not known: nothing is assumed here.
    ///
    /// ```
    /// use shared::sensor::{ChipSettings, SensorFamily};
    /// use shared::units::Micros;
    ///
    /// let fastest = ChipSettings {
    ///     averaging: Some(1),
    ///     shunt_conversion: Some(Micros(140.0)),
    ///     bus_conversion: Some(Micros(140.0)),
    ///     channels: Some(vec![1]),
    ///     ..ChipSettings::default()
    /// };
    /// let family = fastest.family("ina3221").expect("all is known");
    /// assert_eq!(family, SensorFamily::Recursive { samples: 1, conversion: Micros(140.0), cycle: Micros(280.0) });
    /// assert_eq!(family.duty(), 0.5);
    /// ```
    #[must_use]
    pub fn family(&self, chip: &str) -> Option<SensorFamily> {
        let conversion = self.shunt_conversion?;
        let samples = self.averaging?;
        let cycle = self.cycle(chip)?;
        let family = match chip {
            "ina3221" => SensorFamily::Recursive { samples, conversion, cycle },
            _ => SensorFamily::Block { samples, conversion, spacing: cycle },
        };
        family.check().is_ok().then_some(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_follows_from_the_settings_and_from_nothing_else() {
        let boot = ChipSettings {
            averaging: Some(512),
            shunt_conversion: Some(Micros(140.0)),
            bus_conversion: Some(Micros(140.0)),
            channels: Some(vec![1, 2, 3]),
            ..ChipSettings::default()
        };
        let wanted = SensorFamily::Recursive { samples: 512, conversion: Micros(140.0), cycle: Micros(840.0) };
        assert_eq!(boot.family("ina3221"), Some(wanted));
        assert_eq!(
            ChipSettings { averaging: Some(4), ..boot.clone() }.family("ina226"),
            Some(SensorFamily::Block { samples: 4, conversion: Micros(140.0), spacing: Micros(280.0) })
        );
        assert_eq!(boot.family("ina238").map(SensorFamily::refresh), Some(Micros(512.0 * 420.0)));
        assert_eq!(ChipSettings { shunt_conversion: None, ..boot.clone() }.family("ina3221"), None);
        assert_eq!(ChipSettings { channels: Some(Vec::new()), ..boot.clone() }.family("ina3221"), None);
        assert_eq!(boot.family("another"), None);
    }
}
