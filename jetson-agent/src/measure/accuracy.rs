//! What a sensor's readings are worth, by its data sheet.

use serde::Serialize;
use shared::run_folder::Sensor;

/// Limits of a sensor's error, from its data sheet at 25 °C. The tolerance of the shunt is not part of it: no board
/// reports it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracy {
    /// Largest relative error of power: the gain errors of current and voltage together.
    pub gain: f64,
    /// Largest error of the current that does not depend on the current, mA.
    pub offset_ma: f64,
}

/// Limits of a chip: (name, shunt offset in µV, gain error of shunt and bus voltage each).
///
/// INA3221: TI SBOS576 (±80 µV, 0.25 %). INA226: SBOS547 (±10 µV, 0.1 %). INA238: SLYS023 (±5 µV, 0.1 %).
const LIMITS: [(&str, f64, f64); 3] = [("ina3221", 80.0, 0.0025), ("ina226", 10.0, 0.001), ("ina238", 5.0, 0.001)];

/// The limits of a rail's sensor, or why they are not known. `source` is the kind of the power source.
///
/// # Errors
/// A sentence that says what is not known.
///
/// ```
/// use jetson_agent::measure::accuracy;
/// use shared::run_folder::Sensor;
///
/// let sensor = Sensor { chip: Some("ina3221".into()), shunt_micro_ohm: Some(5000), ..Sensor::default() };
/// let known = accuracy(&sensor, "hwmon").unwrap();
/// assert!((known.offset_ma - 16.0).abs() < 1e-9 && (known.gain - 0.00354).abs() < 1e-4);
/// assert_eq!(accuracy(&Sensor::default(), "nvml").unwrap_err(), "NVIDIA publishes no limits of error for this reading");
/// ```
pub fn accuracy(sensor: &Sensor, source: &str) -> Result<Accuracy, String> {
    match (source, &sensor.chip) {
        // The simulated sensor has noise and steps, and no error of gain or offset.
        ("simulated", _) => Ok(Accuracy { gain: 0.0, offset_ma: 0.0 }),
        ("powercap", _) => Err("neither Intel nor AMD publishes limits of error for this counter".into()),
        ("nvml", _) => Err("NVIDIA publishes no limits of error for this reading".into()),
        ("serial", _) => Err("the meter does not report its limits of error".into()),
        (_, None) => Err("the sensor's chip is not known".into()),
        (_, Some(chip)) => {
            let limits = LIMITS.iter().find(|(name, ..)| name == chip);
            let (_, offset_uv, gain) =
                limits.ok_or_else(|| format!("no limits of error are known here for the {chip}"))?;
            let shunt = sensor.shunt_micro_ohm.filter(|shunt| *shunt > 0);
            let shunt = shunt.ok_or_else(|| "the size of the shunt is not known".to_owned())?;
            // µV over µΩ is A. The two gains are independent.
            Ok(Accuracy { gain: gain * std::f64::consts::SQRT_2, offset_ma: offset_uv / shunt as f64 * 1e3 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said() {
        let of = |chip: Option<&str>, shunt: Option<u64>, source: &str| {
            accuracy(&Sensor { chip: chip.map(Into::into), shunt_micro_ohm: shunt, ..Sensor::default() }, source)
        };
        assert!(of(Some("ina3221"), None, "hwmon").expect_err("no shunt").contains("shunt"));
        assert!(of(Some("ina260"), Some(2000), "hwmon").expect_err("no limits").contains("ina260"));
        assert!(of(None, None, "powercap").expect_err("no limits").contains("AMD"));
        assert!(of(None, None, "replay").is_err() && of(Some("ina226"), Some(2000), "replay").is_ok());
        assert_eq!(of(None, None, "simulated"), Ok(Accuracy { gain: 0.0, offset_ma: 0.0 }));
    }
}
