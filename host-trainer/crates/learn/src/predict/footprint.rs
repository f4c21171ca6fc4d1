//! What totals come to over many inferences: watt-hours, hours of a battery, grams of carbon dioxide.

use super::estimate::Bounds;
use super::total::Total;
use serde::Serialize;
use shared::units::{Millijoules, Watts};
use std::str::FromStr;

/// Millijoules in a watt-hour.
const MILLIJOULES_PER_WATT_HOUR: f64 = 3.6e6;

/// The energy in a battery, in watt-hours.
///
/// ```
/// use learn::predict::WattHours;
///
/// assert_eq!("50Wh".parse(), Ok(WattHours(50.0)));
/// assert_eq!("7200 J".parse(), Ok(WattHours(2.0)));
/// assert!("50".parse::<WattHours>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WattHours(pub f64);

/// The carbon intensity of electricity, in grams of carbon dioxide (equivalent) per kilowatt-hour.
///
/// ```
/// use learn::predict::CarbonIntensity;
///
/// assert_eq!("0.4kg/kWh".parse(), Ok(CarbonIntensity(400.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarbonIntensity(pub f64);

/// A number above 0 with one of some units, as the number of the first unit's; the units are given with their factor.
fn quantity(text: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, unit) = (&text[..unit_at], text[unit_at..].trim());
    let known = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| format!("`{text}` has none of the units {}", known()))?;
    let value = number.parse::<f64>().ok().map(|n| n * factor).filter(|n| n.is_finite() && *n > 0.0);
    value.ok_or_else(|| format!("`{number}` is not a number above 0"))
}

impl FromStr for WattHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        quantity(text, &[("Wh", 1.0), ("mWh", 1e-3), ("kWh", 1e3), ("J", 1.0 / 3600.0), ("kJ", 1.0 / 3.6)]).map(Self)
    }
}

impl FromStr for CarbonIntensity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        quantity(text, &[("g/kWh", 1.0), ("kg/kWh", 1e3), ("gCO2/kWh", 1.0)]).map(Self)
    }
}

/// What to convert totals to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conversions {
    /// Inferences to sum up; one if none is given.
    pub per: Option<u64>,
    /// The battery that feeds them.
    pub battery: Option<WattHours>,
    /// The carbon intensity of the electricity.
    pub carbon: Option<CarbonIntensity>,
}

/// What the totals of one inference come to over many. What is not known is `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Footprint {
    /// Inferences.
    pub inferences: u64,
    /// Their energy, Wh.
    pub energy_wh: Option<f64>,
    /// Bounds of it.
    pub energy_wh_bounds: Option<Bounds>,
    /// Whether layers without a figure are missing from it.
    pub energy_is_lower_bound: bool,
    /// Carbon dioxide of that energy, g.
    pub carbon_g: Option<f64>,
    /// Bounds of it.
    pub carbon_g_bounds: Option<Bounds>,
    /// The battery's energy, Wh.
    pub battery_wh: Option<f64>,
    /// Hours that the battery lasts with inferences back to back.
    pub battery_hours: Option<f64>,
    /// Bounds of it.
    pub battery_hours_bounds: Option<Bounds>,
    /// Inferences that the battery feeds.
    pub battery_inferences: Option<f64>,
}

fn scaled(bounds: Option<Bounds>, factor: f64) -> Option<Bounds> {
    bounds.map(|b| Bounds { lower: b.lower * factor, upper: b.upper * factor, level: b.level })
}

impl Conversions {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Converts the energy and the mean power of one inference, each with its bounds.
    ///
    /// ```
    /// use learn::predict::{Conversions, Part, Total, WattHours};
    /// use shared::units::{Millijoules, Watts};
    ///
    /// let energy = Total::of([Part { layer_type: "conv", is_free: false, figure: Some(Millijoules(36.0)) }]);
    /// let conversions = Conversions { per: Some(1000), battery: Some(WattHours(50.0)), carbon: None };
    /// let footprint = conversions.footprint((&energy, None), (Some(Watts(10.0)), None));
    /// assert_eq!(footprint.energy_wh, Some(0.01));
    /// assert_eq!(footprint.battery_hours, Some(5.0));
    /// assert_eq!(footprint.battery_inferences, Some(5_000_000.0));
    /// ```
    #[must_use]
    pub fn footprint(
        &self,
        (energy, energy_bounds): (&Total<Millijoules>, Option<Bounds>),
        (power, power_bounds): (Option<Watts>, Option<Bounds>),
    ) -> Footprint {
        let inferences = self.per.unwrap_or(1);
        let factor = inferences as f64 / MILLIJOULES_PER_WATT_HOUR;
        let energy_wh = energy.at_least().map(|e| e.0 * factor);
        let energy_wh_bounds = scaled(energy_bounds, factor);
        let grams = self.carbon.map(|intensity| intensity.0 / 1e3);
        let battery = self.battery.map(|battery| battery.0);
        let above_zero = |value: f64| (value > 0.0).then_some(value);
        Footprint {
            inferences,
            carbon_g: energy_wh.zip(grams).map(|(energy, grams)| energy * grams),
            carbon_g_bounds: grams.and_then(|grams| scaled(energy_wh_bounds, grams)),
            energy_wh,
            energy_wh_bounds,
            energy_is_lower_bound: !energy.is_whole(),
            battery_wh: battery,
            battery_hours: battery.zip(power.and_then(|p| above_zero(p.0))).map(|(energy, power)| energy / power),
            battery_hours_bounds: battery.zip(power_bounds).and_then(|(energy, power)| {
                Some(Bounds {
                    lower: energy / above_zero(power.upper)?,
                    upper: energy / above_zero(power.lower)?,
                    level: power.level,
                })
            }),
            battery_inferences: battery
                .zip(energy.whole().and_then(|e| above_zero(e.0)))
                .map(|(battery, energy)| battery * MILLIJOULES_PER_WATT_HOUR / energy),
        }
    }
}

impl Footprint {
    /// Lines for people: what was asked for, and that it is not known where it is not.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let bounds = |bounds: Option<Bounds>, unit: &str| match bounds {
            Some(b) => format!("  ({:.0} %: {} to {} {unit})", 100.0 * b.level, short(b.lower), short(b.upper)),
            None => String::new(),
        };
        let at_least = if self.energy_is_lower_bound { "at least " } else { "" };
        let of = match self.inferences {
            1 => "1 inference".to_owned(),
            n => format!("{n} inferences"),
        };
        let mut lines = vec![match self.energy_wh {
            Some(energy) => {
                format!("{of}  {at_least}{} Wh{}", short(energy), bounds(self.energy_wh_bounds, "Wh"))
            }
            None => format!("{of}  energy is not known"),
        }];
        if let Some(grams) = self.carbon_g {
            lines.push(format!("carbon  {at_least}{} g{}", short(grams), bounds(self.carbon_g_bounds, "g")));
        }
        if let Some(battery) = self.battery_wh {
            lines.push(match (self.battery_hours, self.battery_inferences) {
                (Some(hours), Some(inferences)) => format!(
                    "battery of {} Wh  {} h back to back{}, {inferences:.0} inferences",
                    short(battery),
                    short(hours),
                    bounds(self.battery_hours_bounds, "h")
                ),
                _ => format!("battery of {} Wh  not known, since the energy is not known as a whole", short(battery)),
            });
        }
        lines
    }
}

/// A number with three significant digits.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    format!("{value:.*}", usize::try_from(digits).unwrap_or(0).min(12))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::Part;

    fn energy(figures: &[Option<f64>]) -> Total<Millijoules> {
        Total::of(figures.iter().map(|figure| Part {
            layer_type: "conv",
            is_free: false,
            figure: figure.map(Millijoules),
        }))
    }

    const ALL: Conversions =
        Conversions { per: Some(1000), battery: Some(WattHours(50.0)), carbon: Some(CarbonIntensity(400.0)) };

    #[test]
    fn unknown_energy_stays_unknown() {
        let footprint = ALL.footprint((&energy(&[None]), None), (None, None));
        assert_eq!((footprint.energy_wh, footprint.carbon_g, footprint.battery_hours), (None, None, None));
        assert!(footprint.lines()[0].ends_with("energy is not known"));
        let part = ALL.footprint((&energy(&[Some(36.0), None]), None), (None, None));
        assert!(part.energy_is_lower_bound && part.battery_inferences.is_none());
        assert_eq!(part.lines()[0], "1000 inferences  at least 0.0100 Wh");
    }

    #[test]
    fn bounds_are_converted_too() {
        let bounds = |lower, upper| Some(Bounds { lower, upper, level: 0.9 });
        let footprint =
            ALL.footprint((&energy(&[Some(36.0)]), bounds(18.0, 72.0)), (Some(Watts(10.0)), bounds(5.0, 20.0)));
        assert_eq!(footprint.carbon_g, Some(0.004));
        assert_eq!(footprint.battery_hours_bounds.map(|b| (b.lower, b.upper)), Some((2.5, 10.0)));
        assert_eq!(
            footprint.lines(),
            [
                "1000 inferences  0.0100 Wh  (90 %: 0.00500 to 0.0200 Wh)",
                "carbon  0.00400 g  (90 %: 0.00200 to 0.00800 g)",
                "battery of 50.0 Wh  5.00 h back to back  (90 %: 2.50 to 10.0 h), 5000000 inferences",
            ]
        );
    }

    #[test]
    fn quantities_need_their_unit() {
        for (text, expected) in [
            ("50Wh", Some(50.0)),
            ("50 wh", Some(50.0)),
            ("3kJ", Some(5.0 / 6.0)),
            ("0Wh", None),
            ("-1Wh", None),
            ("Wh", None),
            ("5kg", None),
            ("1e3Wh", None),
        ] {
            assert_eq!(text.parse::<WattHours>().ok().map(|w| w.0), expected, "{text}");
        }
        assert_eq!("0.4 kg/kWh".parse(), Ok(CarbonIntensity(400.0)));
        assert!("400".parse::<CarbonIntensity>().is_err_and(|message| message.contains("g/kWh")));
    }
}
