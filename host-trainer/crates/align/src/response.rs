//! The sensor's response at which a fit stands: the chip's family, and what lies before and behind the chip.

use serde::Serialize;
use shared::sensor::{SensorFamily, SensorResponse};
use shared::units::Micros;

/// Longest time between two readings of a recursive register, in its cycles, over which the later one is taken back.
pub(crate) const LONGEST: f64 = 24.0;

/// A sensor's response with every part decided. The family describes the chip. Before the chip lies the board's own
/// smoothing, behind it the time until a reading is stamped. The gap between layers belongs to the timeline and is found
/// with the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FittedResponse {
    /// What the chip does.
    #[serde(flatten)]
    pub family: SensorFamily,
    /// Time constant of regulators and capacitors before the chip: first order. It also stands for the scatter of
    /// callback stamps.
    pub smoothing_us: f64,
    /// How long before the moment of the reading its last conversion ends, on the clock of the layers' stamps.
    pub delay_us: f64,
    /// Time between one layer and the next where stamps do not show it.
    pub gap_us: f64,
}

/// A family in numbers: a reading is made of conversions, windows of the same length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kernel {
    /// Length of a conversion; 0 takes the power at one instant.
    pub(crate) conversion_us: f64,
    /// From one conversion to the next.
    pub(crate) spacing_us: f64,
    /// Conversions of a reading.
    pub(crate) conversions: u32,
    /// What a register keeps of its value from one renewal to the next; 0 where it is loaded with a new one.
    pub(crate) keep: f64,
    /// Time constant of a filter in the sensor; 0 for none.
    pub(crate) lag_us: f64,
    /// Whether a reading spans the time since the reading before.
    pub(crate) since_last: bool,
}

impl Kernel {
    /// Scatter of readings that were taken back to their conversions over that of the register's readings, if rounding
    /// makes it, with a running mean of weight `memory`.
    pub(crate) fn noise_gain(&self, memory: f64) -> f64 {
        (1.0 + self.keep * self.keep - 2.0 * self.keep * memory).max(1e-3).sqrt() * (1.0 - memory)
            / (1.0 - self.keep)
            / (1.0 - memory * memory).sqrt()
    }
}

impl FittedResponse {
    /// A response of a family alone.
    #[must_use]
    pub fn of(family: SensorFamily) -> Self {
        Self { family, smoothing_us: 0.0, delay_us: 0.0, gap_us: 0.0 }
    }

    pub(crate) fn kernel(&self) -> Kernel {
        let plain = |conversion_us: f64, spacing_us: f64| Kernel {
            conversion_us,
            spacing_us,
            conversions: 1,
            keep: 0.0,
            lag_us: 0.0,
            since_last: false,
        };
        match self.family {
            SensorFamily::Window { refresh, window } => plain(window.0, refresh.0),
            SensorFamily::Meter { period } => plain(period.0, period.0),
            SensorFamily::Block { samples, conversion, spacing } => {
                Kernel { conversions: samples, ..plain(conversion.0, spacing.0) }
            }
            SensorFamily::Recursive { samples, conversion, cycle } => {
                Kernel { keep: 1.0 - 1.0 / f64::from(samples.max(1)), ..plain(conversion.0, cycle.0) }
            }
            SensorFamily::Counter { refresh } => Kernel { since_last: true, ..plain(refresh.0, refresh.0) },
            SensorFamily::Filtered { refresh, lag } => Kernel { lag_us: lag.0, ..plain(0.0, refresh.0) },
        }
    }

    /// Length of one conversion.
    #[must_use]
    pub fn conversion_us(&self) -> f64 {
        self.kernel().conversion_us
    }

    /// The same response with another length of a conversion; the middle of the conversion stays where it is.
    pub(crate) fn with_conversion(mut self, us: f64) -> Self {
        let before = self.conversion_us();
        match &mut self.family {
            SensorFamily::Window { window: length, .. }
            | SensorFamily::Block { conversion: length, .. }
            | SensorFamily::Recursive { conversion: length, .. } => *length = Micros(us),
            _ => return self,
        }
        self.delay_us += (before - us) / 2.0;
        self
    }

    /// The response halfway between this one and another one of the family.
    pub(crate) fn halfway(self, other: Self) -> Self {
        let middle = |of: fn(&Self) -> f64| 0.5 * (of(&self) + of(&other));
        Self {
            family: self.with_conversion(middle(Self::conversion_us)).family,
            smoothing_us: middle(|response| response.smoothing_us),
            delay_us: middle(|response| response.delay_us),
            gap_us: middle(|response| response.gap_us),
        }
    }

    /// How far before its own moment a reading looks, apart from what a filter in the sensor remembers.
    pub(crate) fn reach_us(&self) -> f64 {
        let kernel = self.kernel();
        let cycles = if kernel.keep > 0.0 { LONGEST } else { f64::from(kernel.conversions) };
        self.delay_us.max(0.0) + kernel.spacing_us.max(kernel.conversion_us) * (cycles + 1.0) + 16.0 * self.smoothing_us
    }

    /// Time constant of the whole: what a step of the load fades with.
    #[must_use]
    pub fn lag_us(&self) -> f64 {
        self.family.time_constant().0
    }
}

impl From<FittedResponse> for SensorResponse {
    /// The sensor's part of it as one window behind one lag.
    fn from(fitted: FittedResponse) -> Self {
        Self { refresh: None, delay: Some(Micros(fitted.delay_us)), ..Self::from(fitted.family) }
    }
}

/// A family with all its times multiplied: a chip's oscillator is off by a few percent.
pub(crate) fn scaled(family: SensorFamily, by: f64) -> SensorFamily {
    match family {
        SensorFamily::Window { refresh, window } => SensorFamily::Window { refresh: refresh * by, window: window * by },
        SensorFamily::Block { samples, conversion, spacing } => {
            SensorFamily::Block { samples, conversion: conversion * by, spacing: spacing * by }
        }
        SensorFamily::Recursive { samples, conversion, cycle } => {
            SensorFamily::Recursive { samples, conversion: conversion * by, cycle: cycle * by }
        }
        SensorFamily::Meter { period } => SensorFamily::Meter { period: period * by },
        SensorFamily::Counter { refresh } => SensorFamily::Counter { refresh: refresh * by },
        SensorFamily::Filtered { refresh, lag } => SensorFamily::Filtered { refresh: refresh * by, lag },
    }
}

/// What is known of a sensor before anything is fitted: its family, where the manifest or the user says enough.
pub(crate) fn known_family(known: SensorResponse, refresh_us: f64) -> Option<SensorFamily> {
    let refresh = Micros(refresh_us);
    match (known.lag, known.window) {
        (Some(lag), _) if lag.0 > 0.0 => Some(SensorFamily::Filtered { refresh, lag }),
        (_, Some(window)) => Some(SensorFamily::Window { refresh, window }),
        _ => None,
    }
}
