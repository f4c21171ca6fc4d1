//! How far apart the rows of a series are.

/// Share of intervals by which the spread of an irregular series is judged.
const UPPER: f64 = 0.95;

/// The rhythm of a series: how far apart its rows usually are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Median time between rows in ns.
    pub period_ns: i64,
    /// Longest time between rows in ns that the rhythm explains. Anything longer is a gap.
    pub limit_ns: i64,
    /// Whether half of the intervals lie within half a period of each other.
    pub regular: bool,
}

impl Rhythm {
    /// The rhythm of stamps that are exact to `resolution_ns`; `None` for fewer than three intervals that are longer than
    /// zero. Intervals that go back are left out.
    #[must_use]
    pub fn of(stamps_ns: &[i64], resolution_ns: i64) -> Option<Self> {
        let mut intervals: Vec<i64> =
            stamps_ns.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).filter(|d| *d > 0).collect();
        if intervals.len() < 3 {
            return None;
        }
        intervals.sort_unstable();
        let at = |share: f64| intervals[((intervals.len() - 1) as f64 * share) as usize];
        let period_ns = at(0.5);
        let regular = at(0.75) - at(0.25) <= (period_ns / 2).saturating_add(resolution_ns);
        // A stamp is cut to its resolution, so an interval may be that much too long.
        let limit_ns = if regular {
            (period_ns / 4).saturating_mul(7).max(1).saturating_add(resolution_ns)
        } else {
            at(UPPER).saturating_mul(10)
        };
        Some(Self { period_ns, limit_ns, regular })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_does_not_change_the_rhythm() {
        let mut stamps: Vec<i64> = (0..20).map(|i| i * 1_000).collect();
        stamps[10..].iter_mut().for_each(|t| *t += 3_600_000);
        let rhythm = Rhythm::of(&stamps, 0).expect("a rhythm");
        assert_eq!((rhythm.period_ns, rhythm.limit_ns, rhythm.regular), (1_000, 1_750, true));
        assert_eq!(Rhythm::of(&stamps[..3], 0), None);
    }

    #[test]
    fn rows_without_a_rhythm_have_a_wide_limit() {
        let stamps = [0, 1_000, 1_100, 4_000, 4_010, 9_000, 9_900, 9_950];
        let rhythm = Rhythm::of(&stamps, 0).expect("a rhythm");
        assert!(!rhythm.regular && rhythm.limit_ns > 20_000, "{rhythm:?}");
    }
}
