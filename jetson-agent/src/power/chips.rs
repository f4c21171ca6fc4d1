//! The power chips that are read, by the names that their drivers give them.
//!
//! Sources: the kernel's drivers `ina3221`, `ina2xx` and `ina238` under hwmon, `ina2xx-adc` under iio, NVIDIA's `ina219x`,
//! `ina230x` and `ina3221x` under iio (JetPack 4), and TI's data sheets for the step of the bus voltage.

/// A power chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chip {
    /// The driver's name, without the `x` of NVIDIA's.
    pub name: &'static str,
    /// Channels under hwmon: `in1`… are bus voltages, `curr1`… currents.
    pub channels: u32,
    /// Step of a voltage reading in mV.
    pub quantum_mv: f64,
    /// Step of the voltage over the shunt in µV, where the driver's current follows it.
    pub shunt_step_uv: Option<f64>,
}

const fn single(name: &'static str, quantum_mv: f64) -> Chip {
    Chip { name, channels: 1, quantum_mv, shunt_step_uv: None }
}

/// Every chip that is read.
const CHIPS: [Chip; 13] = [
    Chip { name: "ina3221", channels: 3, quantum_mv: 8.0, shunt_step_uv: Some(40.0) },
    single("ina219", 4.0),
    single("ina220", 4.0),
    single("ina226", 1.25),
    single("ina228", 0.195_312_5),
    single("ina230", 1.25),
    single("ina231", 1.25),
    single("ina234", 25.6),
    single("ina236", 1.6),
    single("ina237", 3.125),
    single("ina238", 3.125),
    single("ina260", 1.25),
    single("ina700", 3.125),
];

impl Chip {
    /// The chip of a driver's name.
    #[must_use]
    pub fn of(driver: &str) -> Option<&'static Self> {
        let name = driver.strip_suffix('x').unwrap_or(driver);
        CHIPS.iter().find(|chip| chip.name == name)
    }

    /// Whether several channels take turns, as in the INA3221, so that fewer of them are seen more often.
    #[must_use]
    pub fn takes_turns(&self) -> bool {
        self.channels > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_of_mainline_and_of_nvidia_are_known() {
        for (driver, chip) in
            [("ina3221", "ina3221"), ("ina3221x", "ina3221"), ("ina219", "ina219"), ("ina230x", "ina230")]
        {
            assert_eq!(Chip::of(driver).map(|chip| chip.name), Some(chip));
        }
        assert_eq!(Chip::of("coretemp"), None);
    }
}
