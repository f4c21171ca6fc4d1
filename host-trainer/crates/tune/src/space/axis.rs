//! One coordinate of a search space, and what it stands for.

use shared::random::SplitMix64;
use toml::Value;

/// Significant digits of a float: enough to search, and short enough to read, copy and keep without rounding.
const DIGITS: usize = 6;

/// One coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Axis {
    /// A number, as a coordinate from 0 to 1.
    Float {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Whether ratios count, not differences.
        log: bool,
    },
    /// A whole number, as a coordinate from 0 to 1; each has its share of it.
    Int {
        /// Smallest value.
        low: i64,
        /// Largest value.
        high: i64,
        /// Whether ratios count, not differences.
        log: bool,
    },
    /// One of a number of values, as an index.
    Choice(usize),
}

impl Axis {
    pub(super) fn whole(low: i64, high: i64, log: bool) -> Self {
        Self::Int { low, high, log }
    }

    /// The ends of the range in which the coordinate is even.
    fn ends(&self) -> (f64, f64) {
        let (low, high, log) = match *self {
            Self::Float { low, high, log } => (low, high, log),
            Self::Int { low, high, log } => (low as f64 - 0.5, high as f64 + 0.5, log),
            Self::Choice(count) => (0.0, count as f64, false),
        };
        if log { (low.ln(), high.ln()) } else { (low, high) }
    }

    /// A number of values, or `None` where they are as good as continuous.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        match *self {
            Self::Float { low, high, .. } => (low == high).then_some(1),
            Self::Int { low, high, .. } => usize::try_from(high.saturating_sub(low)).ok()?.checked_add(1),
            Self::Choice(count) => Some(count),
        }
    }

    /// A coordinate at random.
    pub fn random(&self, stream: &mut SplitMix64) -> f64 {
        match *self {
            Self::Choice(count) => stream.below(count) as f64,
            _ => stream.uniform(),
        }
    }

    pub(super) fn middle(&self) -> f64 {
        if let Self::Choice(_) = self { 0.0 } else { 0.5 }
    }

    /// The number at a coordinate, or the index of a choice.
    pub(super) fn value(&self, coordinate: f64) -> Value {
        let (from, to) = self.ends();
        let raw = from + coordinate.clamp(0.0, 1.0) * (to - from);
        match *self {
            Self::Float { low, high, log } => {
                let raw = if log { raw.exp() } else { raw };
                let short = format!("{raw:.*e}", DIGITS - 1).parse().unwrap_or(raw);
                Value::Float(f64::clamp(short, low, high))
            }
            Self::Int { low, high, log } => {
                let raw = if log { raw.exp() } else { raw };
                Value::Integer((raw.round() as i64).clamp(low, high))
            }
            Self::Choice(count) => Value::Integer((coordinate as i64).clamp(0, count.saturating_sub(1) as i64)),
        }
    }

    /// The coordinate of a number; `None` where it lies outside.
    pub(super) fn coordinate(&self, value: &Value) -> Option<f64> {
        let number = value.as_float().or_else(|| value.as_integer().map(|i| i as f64))?;
        let inside = match *self {
            Self::Float { low, high, .. } => (low..=high).contains(&number),
            Self::Int { low, high, .. } => (low as f64..=high as f64).contains(&number),
            Self::Choice(count) => (0.0..count as f64).contains(&number),
        };
        if !inside {
            return None;
        }
        if let Self::Choice(_) = self {
            return Some(number);
        }
        let (from, to) = self.ends();
        let log = matches!(self, Self::Float { log: true, .. } | Self::Int { log: true, .. });
        let at = if log { number.ln() } else { number };
        Some(if to > from { ((at - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 })
    }

    /// The coordinate of the value that a coordinate stands for.
    #[must_use]
    pub fn settled(&self, coordinate: f64) -> f64 {
        match self {
            Self::Choice(_) => coordinate,
            _ => self.coordinate(&self.value(coordinate)).unwrap_or(coordinate),
        }
    }
}
