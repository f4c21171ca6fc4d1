//! What stamps stand for.

/// What stamps stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A wall clock with its date. It may be set, but it does not begin again.
    Wall,
    /// A wall clock without a part of its date: it begins again after so many ns, a day or a year.
    Cyclic {
        /// Its length in ns.
        range_ns: i64,
    },
    /// A number in units of so many ns, which may be a counter of fixed width.
    Counter {
        /// One unit in ns.
        unit_ns: i64,
    },
}

impl Scale {
    /// The ranges, in ns, after which such stamps may begin again.
    pub(super) fn ranges_ns(self) -> Vec<i64> {
        match self {
            Self::Wall => Vec::new(),
            Self::Cyclic { range_ns } => vec![range_ns],
            Self::Counter { unit_ns } => {
                // A column in seconds may be a 32-bit counter of another unit, divided.
                let wide = [unit_ns, 1, 1_000, 1_000_000].map(|unit| unit.saturating_mul(1 << 32));
                let narrow = [31, 24, 16, 10].map(|bits| unit_ns.saturating_mul(1 << bits));
                wide.into_iter().chain(narrow).collect()
            }
        }
    }
}
