//! What one option may be.

use super::Axis;
use toml::Value;

/// What one option may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// A number of a range.
    Float {
        /// Smallest.
        low: f64,
        /// Largest.
        high: f64,
        /// Whether ratios count, not differences.
        log: bool,
        /// Points of the range that a grid tries.
        steps: Option<u32>,
    },
    /// A whole number of a range.
    Int {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
        /// Whether ratios count, not differences.
        log: bool,
        /// Points of the range that a grid tries; all of them by default.
        steps: Option<u32>,
    },
    /// One of some values.
    Choice(Vec<Value>),
    /// A list whose elements come from one domain.
    List {
        /// Of each element; no list itself.
        of: Box<Domain>,
        /// How long it is.
        length: Length,
    },
}

/// How long a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    /// Between two lengths, both possible.
    Between(usize, usize),
    /// As long as the list of another option.
    SameAs(String),
}

impl Domain {
    /// The axis of a single value; for a list, that of its elements.
    pub(super) fn axis(&self) -> Axis {
        match self {
            Self::Float { low, high, log, .. } => Axis::Float { low: *low, high: *high, log: *log },
            Self::Int { low, high, log, .. } => Axis::Int { low: *low, high: *high, log: *log },
            Self::Choice(values) => Axis::Choice(values.len()),
            Self::List { of, .. } => of.axis(),
        }
    }

    /// The value at a coordinate of the domain's axis.
    pub(super) fn pick(&self, axis: &Axis, coordinate: f64) -> Value {
        let value = axis.value(coordinate);
        match self {
            Self::Choice(values) => {
                let index = value.as_integer().and_then(|i| usize::try_from(i).ok()).unwrap_or(0);
                values.get(index).cloned().unwrap_or(Value::Boolean(false))
            }
            _ => value,
        }
    }

    /// The coordinate of a value; `None` if the domain does not hold it.
    pub(super) fn find(&self, value: &Value) -> Option<f64> {
        match self {
            Self::Choice(values) => values.iter().position(|known| known == value).map(|index| index as f64),
            _ => self.axis().coordinate(value),
        }
    }

    /// All values that a grid tries; `None` where they cannot be counted.
    pub(super) fn values(&self) -> Option<Vec<Value>> {
        let spread = |steps: u32| {
            let axis = self.axis();
            let last = f64::from(steps.saturating_sub(1)).max(1.0);
            let mut values: Vec<Value> = (0..steps).map(|i| axis.value(f64::from(i) / last)).collect();
            values.dedup();
            values
        };
        match self {
            Self::Choice(values) => Some(values.clone()),
            Self::Float { steps, low, high, .. } => match steps {
                Some(steps) => Some(spread(*steps)),
                None => (low == high).then(|| vec![Value::Float(*low)]),
            },
            Self::Int { low, high, steps, .. } => match steps {
                Some(steps) => Some(spread(*steps)),
                None if high.saturating_sub(*low) < 10_000 => Some((*low..=*high).map(Value::Integer).collect()),
                None => None,
            },
            Self::List { .. } => None,
        }
    }
}
