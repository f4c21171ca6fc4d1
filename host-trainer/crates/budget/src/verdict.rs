//! Whether a limit is kept.

use serde::Serialize;

/// Whether a limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Pass,
    /// The figures do not decide it.
    Undecided,
    /// It is not.
    Fail,
}

impl Verdict {
    /// The word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Undecided => "undecided",
            Self::Fail => "fail",
        }
    }
}

/// A value and what bounds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Value {
    /// The value.
    pub(crate) value: f64,
    /// What it is at least and at most; the value itself where no interval is known.
    pub(crate) bounds: (f64, f64),
}

impl Value {
    /// A value without an interval.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, bounds: (value, value) }
    }

    /// Whether it is at most a limit.
    pub(crate) fn at_most(self, limit: f64) -> Verdict {
        match self.bounds {
            (lower, _) if lower > limit => Verdict::Fail,
            (_, upper) if upper <= limit => Verdict::Pass,
            _ => Verdict::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_holds_the_limit_decides_nothing() {
        let value = Value { value: 5.0, bounds: (4.0, 6.0) };
        assert_eq!(value.at_most(3.9), Verdict::Fail);
        assert_eq!(value.at_most(4.0), Verdict::Undecided);
        assert_eq!(value.at_most(5.9), Verdict::Undecided);
        assert_eq!(value.at_most(6.0), Verdict::Pass);
        assert_eq!(Value::exact(5.0).at_most(5.0), Verdict::Pass);
        assert_eq!(Value::exact(5.1).at_most(5.0), Verdict::Fail);
    }
}
