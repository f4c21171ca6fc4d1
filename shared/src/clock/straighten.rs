//! Wraps, steps and gaps in a series of stamps.

use super::rhythm::Rhythm;
use super::scale::Scale;

/// Half an hour: the step by which time zones differ and summer time begins.
const HALF_HOUR_NS: i64 = 1_800_000_000_000;
/// Furthest that two time zones are apart, in half hours.
const ZONES: i64 = 28;
/// A jump of more than this within a log whose rows are seconds apart: a clock that was set, not a pause.
const MONTH_NS: i64 = 30 * 86_400_000_000_000;
/// Longest period at which a step of whole half hours can be told from a pause.
const MINUTE_NS: i64 = 60_000_000_000;
/// The start of 2001. A clock that stands before it was not set.
const YEAR_2001_NS: i64 = 978_307_200_000_000_000;
/// The start of 2150, the end of the years that stamps may have.
const YEAR_2150_NS: i64 = 5_680_281_600_000_000_000;

/// What was found at a place of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A counter reached the end of its range and began again; undone.
    Wrapped,
    /// The clock was set; undone: the rows around it are one period apart.
    Set,
    /// A stamp that fits neither neighbour; it was put between them.
    Misfit,
    /// Time without a reading. Time runs on.
    Gap,
}

/// A place at which stamps do not simply run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The first row behind it.
    pub at: usize,
    /// What it is.
    pub kind: ChangeKind,
    /// By how much the stamps jump beyond one period, in ns; for a gap, its length.
    pub by_ns: i64,
}

/// A series whose stamps run on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Straight {
    pub(super) times_ns: Vec<i64>,
    pub(super) changes: Vec<Change>,
    pub(super) rhythm: Option<Rhythm>,
    /// Whether the rows have to be sorted by their times.
    pub(super) unordered: bool,
}

/// Why a series cannot be straightened: time goes back here, and nothing says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disorder {
    pub(super) at: usize,
    pub(super) by_ns: i64,
    pub(super) count: usize,
}

/// Makes stamps run on. `resolution_ns` is the step to which they are cut.
pub(super) fn straighten(stamps_ns: &[i64], scale: Scale, resolution_ns: i64) -> Result<Straight, Disorder> {
    let mut times = stamps_ns.to_vec();
    let mut rhythm = Rhythm::of(&times, resolution_ns);
    let mut changes = Vec::new();
    if back(&times).next().is_some() {
        unwrap_counter(&mut times, scale, rhythm, &mut changes);
        rhythm = Rhythm::of(&times, resolution_ns);
    }
    if back(&times).next().is_some() {
        if is_sound_when_sorted(&times, resolution_ns) {
            return Ok(Straight { times_ns: times, changes, rhythm, unordered: true });
        }
        undo_steps_back(&mut times, rhythm, &mut changes)?;
        rhythm = Rhythm::of(&times, resolution_ns);
    }
    if let Some(rhythm) = rhythm {
        look_ahead(&mut times, scale, rhythm, resolution_ns, &mut changes);
    }
    changes.sort_by_key(|change| (change.at, change.kind));
    Ok(Straight { times_ns: times, changes, rhythm, unordered: false })
}

/// Places at which time goes back: the row behind and by how much.
fn back(times: &[i64]) -> impl Iterator<Item = (usize, i64)> {
    (1..)
        .zip(times.windows(2))
        .filter(|(_, pair)| pair[1] < pair[0])
        .map(|(i, pair)| (i, pair[1].saturating_sub(pair[0])))
}

/// Adds a counter's range behind each wrap. Of the ranges that the scale allows the one is taken that explains most. A wrap
/// is certain when all values fit the range, signed or not, and when with the range added the rows are as far apart as
/// elsewhere. A wide counter may have lost rows there: half a hundredth of its range is no restart's chance.
fn unwrap_counter(times: &mut [i64], scale: Scale, rhythm: Option<Rhythm>, changes: &mut Vec<Change>) {
    let (low, high) = (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
    let fits = |range: i64| (0 <= low && high < range) || (-range / 2 <= low && high < range / 2);
    let explains = |range: i64, by: i64| {
        let step = by.saturating_add(range);
        let wide = if range >= 1 << 31 { range / 200 } else { 0 };
        let limit = rhythm.map_or(range / 50, |r| r.limit_ns).max(wide).min(range / 8);
        fits(range) && step > 0 && step <= limit
    };
    let count = |range: i64| back(times).filter(|(_, by)| explains(range, *by)).count();
    let Some(range) = scale.ranges_ns().into_iter().max_by_key(|range| (count(*range), std::cmp::Reverse(*range)))
    else {
        return;
    };
    let wraps: Vec<usize> = back(times).filter(|(_, by)| explains(range, *by)).map(|(at, _)| at).collect();
    changes.extend(wraps.iter().map(|&at| Change { at, kind: ChangeKind::Wrapped, by_ns: range }));
    let (mut wraps, mut shift) = (wraps.into_iter().peekable(), 0_i64);
    for (row, time) in times.iter_mut().enumerate() {
        if wraps.next_if_eq(&row).is_some() {
            shift = shift.saturating_add(range);
        }
        *time = time.saturating_add(shift);
    }
}

/// Whether rows out of order have a rhythm without a gap, and no two the same time, once they are sorted: then they were
/// written in another order than they were measured in.
fn is_sound_when_sorted(times: &[i64], resolution_ns: i64) -> bool {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let intervals = || sorted.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    if intervals().any(|d| d == 0) {
        return false;
    }
    match Rhythm::of(&sorted, resolution_ns) {
        Some(rhythm) => {
            rhythm.regular
                && intervals()
                    .all(|d| d <= rhythm.limit_ns && d.saturating_mul(5) >= rhythm.period_ns.saturating_mul(3))
        }
        None => true,
    }
}

/// Undoes steps back of a clock, and single stamps that fit nowhere.
fn undo_steps_back(times: &mut [i64], rhythm: Option<Rhythm>, changes: &mut Vec<Change>) -> Result<(), Disorder> {
    let count = back(times).count();
    let disorder = |times: &[i64]| {
        let (at, by_ns) = back(times).next().unwrap_or((0, 0));
        Disorder { at, by_ns, count }
    };
    let Some(rhythm) = rhythm.filter(|rhythm| rhythm.regular) else { return Err(disorder(times)) };
    if count > 1 + times.len() / 20 {
        return Err(disorder(times));
    }
    for at in 1..times.len().saturating_sub(1) {
        let (before, behind) = (times[at - 1], times[at + 1]);
        let room = behind.saturating_sub(before);
        let fits = (before..=behind).contains(&times[at]);
        if !fits && room > 0 && room <= rhythm.limit_ns.saturating_mul(2) {
            changes.push(Change { at, kind: ChangeKind::Misfit, by_ns: times[at].saturating_sub(before) });
            times[at] = before + room / 2;
        }
    }
    let (mut shift, mut before) = (0_i64, times.first().copied().unwrap_or(0));
    let mut straight = Vec::with_capacity(times.len());
    for (at, &stamp) in times.iter().enumerate() {
        if stamp < before {
            let by_ns = stamp.saturating_sub(before).saturating_sub(rhythm.period_ns);
            shift = shift.saturating_sub(by_ns);
            changes.push(Change { at, kind: ChangeKind::Set, by_ns });
        }
        before = stamp;
        // A clock that is set to and fro may leave what 64 bits hold; cut off there, its rows would lose their distances.
        straight.push(stamp.checked_add(shift).ok_or_else(|| disorder(times))?);
    }
    times.copy_from_slice(&straight);
    Ok(())
}

/// Looks at jumps ahead: a clock that was set is undone, anything else is a gap.
fn look_ahead(times: &mut [i64], scale: Scale, rhythm: Rhythm, resolution_ns: i64, changes: &mut Vec<Change>) {
    let (mut shift, mut before) = (0_i64, times.first().copied().unwrap_or(0));
    for (at, time) in times.iter_mut().enumerate().skip(1) {
        let stamp = *time;
        let interval = stamp.saturating_sub(before);
        if interval > rhythm.limit_ns {
            if was_set(before, stamp, scale, rhythm, resolution_ns) {
                let by_ns = interval.saturating_sub(rhythm.period_ns);
                shift = shift.saturating_sub(by_ns);
                changes.push(Change { at, kind: ChangeKind::Set, by_ns });
            } else {
                changes.push(Change { at, kind: ChangeKind::Gap, by_ns: interval });
            }
        }
        before = stamp;
        *time = stamp.saturating_add(shift);
    }
}

/// Whether a jump ahead is a clock that was set and no pause: out of the time before it was set, by whole half hours as
/// zones and summer time do, or by more than a month. A counter that does not stand for a date is not set.
fn was_set(before: i64, stamp: i64, scale: Scale, rhythm: Rhythm, resolution_ns: i64) -> bool {
    let beyond = stamp.saturating_sub(before).saturating_sub(rhythm.period_ns);
    let halves = beyond.saturating_add(HALF_HOUR_NS / 2) / HALF_HOUR_NS;
    let off = beyond.saturating_sub(halves.saturating_mul(HALF_HOUR_NS)).saturating_abs();
    let dated = !matches!(scale, Scale::Counter { .. }) || before >= YEAR_2001_NS;
    let by_zone = (1..=ZONES).contains(&halves) && off <= (rhythm.period_ns / 2).saturating_add(resolution_ns);
    let found_its_date = (..YEAR_2001_NS).contains(&before) && (YEAR_2001_NS..YEAR_2150_NS).contains(&stamp);
    found_its_date || (dated && rhythm.period_ns <= MINUTE_NS && (by_zone || beyond > MONTH_NS))
}
