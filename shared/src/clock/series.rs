//! A series of stamps read as time.

use super::scale::Scale;
use super::spread::{groups, interval, spread};
use super::straighten::{Change, ChangeKind, Disorder, Straight, straighten};
use std::ops::Range;

/// Stamps beyond this are no time: differences of two of them, and sums of a few, must fit 64 bits.
const FURTHEST_NS: i64 = i64::MAX / 4;

/// A series read as time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The rows in order of time.
    pub rows: Vec<usize>,
    /// The time of each of them in ns; never less than the one before.
    pub times_ns: Vec<i64>,
    /// Where stamps did not simply run on; `at` is an index into `rows`.
    pub changes: Vec<Change>,
    /// The usual time between rows in ns, as the stamps tell it.
    pub interval_ns: Option<i64>,
    /// Whether the rows stood in another order than their times.
    pub sorted: bool,
    /// Rows without a stamp, which were put between their neighbours.
    pub unstamped: usize,
    /// Whether the interval that was given contradicts the stamps.
    pub contradicts: bool,
}

/// Why a series cannot be read as time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeError {
    /// Time goes back at this row, by so many ns, and at so many rows in all; nothing certain explains it.
    GoesBack {
        /// The first row behind the jump.
        row: usize,
        /// By how much, negative.
        by_ns: i64,
        /// Such rows in all.
        count: usize,
    },
    /// This row's stamp lies beyond what 64 bits of nanoseconds hold.
    TooLarge {
        /// The row.
        row: usize,
    },
}

impl Series {
    /// Stretches of rows without a gap between them.
    #[must_use]
    pub fn stretches(&self) -> Vec<Range<usize>> {
        let mut stretches = Vec::new();
        let mut start = 0;
        for change in self.changes.iter().filter(|change| change.kind == ChangeKind::Gap) {
            stretches.push(start..change.at);
            start = change.at;
        }
        stretches.push(start..self.times_ns.len());
        stretches
    }
}

/// Reads a series of stamps as time; `None` is a row without one. `given_ns` is the time between rows that the user named: it
/// counts where rows share a stamp and the stamps do not contradict it.
///
/// ```
/// use shared::clock::{ChangeKind, Scale, read_series};
///
/// // Microseconds of 32 bits that begin again.
/// let stamps: Vec<_> = (0..6).map(|i| Some((4_294_967_296_i64 - 30 + 10 * i) % (1 << 32) * 1_000)).collect();
/// let series = read_series(&stamps, Scale::Counter { unit_ns: 1_000 }, None).expect("time");
/// assert_eq!(series.times_ns[5] - series.times_ns[0], 50_000);
/// assert_eq!(series.changes[0].kind, ChangeKind::Wrapped);
/// ```
///
/// # Errors
/// [`TimeError`] when time goes back for no certain reason, or a stamp is no time.
pub fn read_series(stamps_ns: &[Option<i64>], scale: Scale, given_ns: Option<i64>) -> Result<Series, TimeError> {
    let mut rows: Vec<usize> = (0..stamps_ns.len()).filter(|&row| stamps_ns[row].is_some()).collect();
    let stamp = |row: usize| stamps_ns[row].unwrap_or(0);
    if let Some(&row) = rows.iter().find(|&&row| stamp(row).unsigned_abs() > FURTHEST_NS.unsigned_abs()) {
        return Err(TimeError::TooLarge { row });
    }
    let resolution_ns = resolution(rows.iter().map(|&row| stamp(row)), scale);
    let mut stamps: Vec<i64> = rows.iter().map(|&row| stamp(row)).collect();
    let mut found = straight(&stamps, scale, resolution_ns);
    let sorted = found.as_ref().is_ok_and(|(_, straight)| straight.unordered);
    if sorted {
        rows.sort_by_key(|&row| stamp(row));
        stamps.sort_unstable();
        found = straight(&stamps, scale, resolution_ns);
    }
    let (groups, straight) = found.map_err(|Disorder { at, by_ns, count }| TimeError::GoesBack {
        row: rows.get(at).copied().unwrap_or(0),
        by_ns,
        count,
    })?;
    let limit_ns = straight.rhythm.map_or(i64::MAX, |rhythm| rhythm.limit_ns);
    let shares = groups.len() < rows.len();
    let told = if shares {
        interval(&groups, &straight.times_ns, limit_ns)
    } else {
        straight.rhythm.map(|rhythm| rhythm.period_ns)
    };
    let contradicts = given_ns.is_some_and(|given| match told {
        Some(told) => {
            // Whole periods of a coarse stamp scatter by its resolution, which long series average out.
            let slack = told / 4 + if shares { 0 } else { resolution_ns / 2 };
            given.saturating_sub(told).saturating_abs() > slack
        }
        // Without a rhythm, rows that share a stamp must still fit into its resolution.
        None => shares && groups.iter().any(|g| (g.count as i64 - 1).saturating_mul(given) >= resolution_ns),
    });
    let even = groups.iter().map(|group| resolution_ns / group.count as i64).min().unwrap_or(0);
    let interval_ns = told.or(given_ns.filter(|_| shares && !contradicts)).or(shares.then_some(even));
    // Where most rows share a stamp the clock itself goes in steps, whatever it prints.
    let step_ns = straight.rhythm.filter(|_| groups.len() * 2 <= rows.len()).map_or(0, |rhythm| rhythm.period_ns);
    let times_ns = if shares {
        let cut_ns = resolution_ns.max(step_ns);
        spread(&groups, &straight.times_ns, interval_ns.unwrap_or(0), limit_ns, cut_ns)
    } else {
        straight.times_ns
    };
    let changes = straight.changes.iter().map(|change| Change { at: groups[change.at].first, ..*change }).collect();
    let mut series = Series { rows, times_ns, changes, interval_ns, sorted, unstamped: 0, contradicts };
    series.place_unstamped(stamps_ns.len());
    Ok(series)
}

impl Series {
    /// Puts rows without a stamp between their neighbours, and those at the ends an interval apart.
    fn place_unstamped(&mut self, count: usize) {
        if self.rows.len() == count || self.sorted || self.rows.is_empty() {
            self.unstamped = count - self.rows.len();
            return;
        }
        let period = self.interval_ns.unwrap_or(0);
        let mut times: Vec<i64> = Vec::with_capacity(count);
        let mut places = Vec::with_capacity(self.rows.len());
        for (&row, &time) in self.rows.iter().zip(&self.times_ns) {
            let missing = (row - times.len()) as i64;
            let last = times.last().copied();
            let step = last.map_or(period, |last| time.saturating_sub(last) / (missing + 1));
            times.extend((0..missing).map(|i| time.saturating_sub(step.saturating_mul(missing - i))));
            places.push(times.len());
            times.push(time);
        }
        let last = times.last().copied().unwrap_or(0);
        let behind = (count - times.len()) as i64;
        times.extend((1..=behind).map(|i| last.saturating_add(period.saturating_mul(i))));
        for change in &mut self.changes {
            change.at = places.get(change.at).copied().unwrap_or(change.at);
        }
        self.unstamped = count - self.rows.len();
        (self.rows, self.times_ns) = ((0..count).collect(), times);
    }
}

/// Straightens rows, or, where most rows share a stamp with a neighbour or stamps are coarse, the stamps.
fn straight(
    stamps: &[i64],
    scale: Scale,
    resolution_ns: i64,
) -> Result<(Vec<super::spread::Group>, Straight), Disorder> {
    let grouped = groups(stamps);
    let coarse = resolution_ns >= 1_000_000_000 || grouped.len() * 2 <= stamps.len();
    let groups = if coarse {
        grouped
    } else {
        (0..stamps.len()).map(|first| super::spread::Group { first, count: 1 }).collect()
    };
    let heads: Vec<i64> = groups.iter().map(|group| stamps[group.first]).collect();
    let straight = straighten(&heads, scale, resolution_ns)
        .map_err(|disorder| Disorder { at: groups[disorder.at].first, ..disorder })?;
    Ok((groups, straight))
}

/// The step to which stamps are cut, in ns: whole seconds, milliseconds, microseconds, or nothing.
fn resolution(stamps: impl Iterator<Item = i64> + Clone, scale: Scale) -> i64 {
    let cut = [1_000_000_000, 1_000_000, 1_000].into_iter().find(|unit| stamps.clone().all(|stamp| stamp % unit == 0));
    let cut = cut.unwrap_or(1);
    if let Scale::Counter { unit_ns } = scale { cut.min(unit_ns.max(1)) } else { cut }
}
