//! Which families a sensor may belong to, as far as the log alone says.

use super::response::known_family;
use super::step::StepAnswer;
use super::survey::SensorReport;
use shared::sensor::{INA_AVERAGES, INA_CONVERSIONS, SensorFamily};
use shared::units::Micros;

/// Largest deviation of a chip's oscillator.
const OSCILLATOR: f64 = 0.03;

/// Where a family comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FamilySource {
    /// The agent recorded the chip and its settings.
    Manifest,
    /// The user gave the response.
    Given,
    /// The log's step alone: the filter is too slow to compare families.
    Step,
    /// Of the families that a chip may have, the one that predicts readings best that were held out.
    Data,
    /// Nothing: nobody said, and no family was searched for.
    #[default]
    Unknown,
}

impl FamilySource {
    /// Whether somebody said what the sensor is; otherwise the log had to tell.
    pub(crate) fn is_known(self) -> bool {
        matches!(self, Self::Manifest | Self::Given)
    }
}

/// The families to compare. One, where it is known.
pub(crate) fn candidates(sensor: &SensorReport) -> (Vec<SensorFamily>, FamilySource) {
    let refresh = sensor.sample_period();
    if let Some(family) = sensor.family {
        return (vec![family], FamilySource::Manifest);
    }
    let given = sensor.known_from != "step in the log";
    if given && let Some(family) = known_family(sensor.response, refresh.0) {
        return (vec![family], FamilySource::Given);
    }
    let mut families = lagged(sensor, refresh);
    let window = SensorFamily::Window { refresh, window: refresh * 0.5 };
    let known = sensor.response.refresh.is_some();
    match (families.is_empty(), known) {
        // A step of the load may look like a lag: what follows the load at once is compared with it.
        (_, false) => {
            families.push(SensorFamily::Meter { period: refresh });
            families.push(SensorFamily::Window { refresh, window: refresh });
        }
        (false, true) => families.push(window),
        (true, true) => {
            families.push(window);
            for samples in [4, 16] {
                families.push(SensorFamily::Recursive { samples, conversion: refresh / 6.0, cycle: refresh });
            }
            for samples in [4, 16, 64] {
                let spacing = refresh / f64::from(samples);
                if spacing >= Micros(100.0) {
                    families.push(SensorFamily::Block { samples, conversion: spacing / 6.0, spacing });
                }
            }
        }
    }
    (families, FamilySource::Data)
}

/// Families with the lag that the log's step shows, if that is much longer than the time between readings.
fn lagged(sensor: &SensorReport, refresh: Micros) -> Vec<SensorFamily> {
    let lag = if let Some(StepAnswer::Lag(lag)) = sensor.step { lag } else { sensor.lag() };
    if lag.0 <= 8.0 * refresh.0 {
        return Vec::new();
    }
    let filtered = SensorFamily::Filtered { refresh, lag };
    if sensor.response.refresh.is_none() {
        return vec![filtered];
    }
    let samples = lag / refresh + 0.5;
    // A third of the cycle lies between the usual settings: three channels or one.
    let mut near: Vec<u32> =
        INA_AVERAGES.into_iter().filter(|n| (0.4..2.5).contains(&(f64::from(*n) / samples))).collect();
    near.sort_by(|a, b| (f64::from(*a) / samples).ln().abs().total_cmp(&(f64::from(*b) / samples).ln().abs()));
    let recursive = |samples| SensorFamily::Recursive { samples, conversion: refresh / 6.0, cycle: refresh };
    match near.first() {
        Some(&first) if (f64::from(first) / samples - 1.0).abs() < 0.15 => vec![recursive(first)],
        _ => std::iter::once(filtered).chain(near.into_iter().map(recursive)).collect(),
    }
}

/// Whether a conversion may have any length: of a plain window, and of a chip whose turn is none of an INA's.
pub(crate) fn has_any_conversion(family: SensorFamily) -> bool {
    match family {
        SensorFamily::Window { .. } => true,
        SensorFamily::Block { spacing: turn, .. } | SensorFamily::Recursive { cycle: turn, .. } => {
            usual_conversions(turn.0).is_empty()
        }
        _ => false,
    }
}

/// Lengths of a conversion of INA chips whose turn takes so long: shunt and bus voltage of one to three channels, by an
/// oscillator that is off by a few percent.
pub(crate) fn usual_conversions(turn_us: f64) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for channels in [1.0, 2.0, 3.0] {
        for shunt in INA_CONVERSIONS {
            for bus in INA_CONVERSIONS {
                let off = turn_us / (channels * (shunt + bus).0);
                let us = shunt.0 * off;
                if (off - 1.0).abs() < OSCILLATOR && !found.iter().any(|f| (f / us - 1.0).abs() < 0.005) {
                    found.push(us);
                }
            }
        }
    }
    found
}

/// Whether a window's readings follow each other without time between them.
pub(crate) fn is_without_gaps(family: SensorFamily) -> bool {
    matches!(family, SensorFamily::Window { refresh, window } if window == refresh)
}

/// Whether two families differ in their times alone.
pub(crate) fn same_kind(a: SensorFamily, b: SensorFamily) -> bool {
    let samples = |family| match family {
        SensorFamily::Block { samples, .. } | SensorFamily::Recursive { samples, .. } => samples,
        _ => 0,
    };
    a.name() == b.name() && samples(a) == samples(b)
}
