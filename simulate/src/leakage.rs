//! Leakage: power that rises with the temperature, which follows the power.

use serde::{Deserialize, Serialize};
use shared::units::{Millis, Watts};

/// Leakage. The temperature above ambient follows `dθ/dt = (kelvin_per_watt · P − θ) / time_constant`, where P is the power above
/// idle without leakage; the leakage is `watts_per_kelvin · θ`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leakage {
    /// Thermal resistance from the chip to the air, K/W.
    pub kelvin_per_watt: f64,
    /// Leakage per kelvin above ambient, W/K.
    pub watts_per_kelvin: f64,
    /// How fast the temperature follows.
    pub time_constant: Millis,
    /// Temperature of the air, °C; only for what the board's sensors of temperature say.
    #[serde(default = "room")]
    pub ambient_c: f64,
}

fn room() -> f64 {
    25.0
}

impl Leakage {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// A sentence naming the value.
    pub(super) fn check(&self) -> Result<(), String> {
        let numbers = [
            ("kelvin_per_watt", self.kelvin_per_watt),
            ("watts_per_kelvin", self.watts_per_kelvin),
            ("ambient_c", self.ambient_c),
        ];
        if let Some((name, value)) = numbers.into_iter().find(|(_, value)| !value.is_finite() || *value < 0.0) {
            return Err(format!("`leakage.{name}` is {value}, it needs to be zero or more"));
        }
        let time = self.time_constant.0;
        if time.is_finite() && time > 0.0 {
            Ok(())
        } else {
            Err(format!("`leakage.time_constant` is {time}, it needs to be more than zero"))
        }
    }
}

/// The temperature as time goes by; without leakage nothing happens.
#[derive(Debug, Clone)]
pub(super) struct LeakageState {
    leakage: Option<Leakage>,
    kelvin: f64,
}

impl LeakageState {
    /// At ambient temperature.
    pub(super) fn new(leakage: Option<Leakage>) -> Self {
        Self { leakage, kelvin: 0.0 }
    }

    /// Lets power above idle flow for some ns and returns the mean leakage during it.
    pub(super) fn flow(&mut self, ns: u64, above_idle: Watts) -> Watts {
        let Some(leakage) = self.leakage else { return Watts(0.0) };
        if ns == 0 {
            return Watts(0.0);
        }
        let target = leakage.kelvin_per_watt * above_idle.0.max(0.0);
        let ratio = ns as f64 * 1e-6 / leakage.time_constant.0;
        let settled = -(-ratio).exp_m1();
        let mean = target + (self.kelvin - target) * settled / ratio;
        self.kelvin += (target - self.kelvin) * settled;
        Watts(leakage.watts_per_kelvin * mean)
    }

    /// The temperature that the board's sensor shows, °C.
    pub(super) fn celsius(&self) -> Option<f64> {
        self.leakage.map(|leakage| leakage.ambient_c + self.kelvin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temperature_settles_and_pieces_add_up() {
        let leakage =
            Leakage { kelvin_per_watt: 5.0, watts_per_kelvin: 0.02, time_constant: Millis(10_000.0), ambient_c: 25.0 };
        let (mut whole, mut parts) = (LeakageState::new(Some(leakage)), LeakageState::new(Some(leakage)));
        let mean = whole.flow(5_000_000_000, Watts(6.0));
        let sum: f64 = (0..5_000).map(|_| parts.flow(1_000_000, Watts(6.0)).0).sum();
        assert!((mean.0 - sum / 5_000.0).abs() < 1e-9, "{mean} {sum}");
        // 30 K in the end, 0.6 W.
        assert!((whole.flow(1_000_000_000_000, Watts(6.0)).0 - 0.6).abs() < 0.01);
        assert!((whole.celsius().expect("it leaks") - 55.0).abs() < 1e-6);
        assert_eq!(LeakageState::new(None).flow(1_000, Watts(6.0)), Watts(0.0));
    }
}
