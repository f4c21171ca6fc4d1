//! How often the sensor renews its reading, found from the moments at which readings change.
//!
//! A logger that reads faster than the sensor renews sees each value several times. A change between two readings says
//! that a renewal lay between them. Renewals come at a fixed period, so period and phase are those whose lattice of
//! moments meets (nearly) every interval with a change. The longest such period counts: any shorter one would predict
//! renewals that never show.

use super::clock::since_us;
use shared::run_folder::PowerReading;

/// Readings looked at together. The phase is found again for each such block, so clocks may drift against each other.
pub const BLOCK: usize = 2048;
/// Phase bins of the search.
const BINS: usize = 128;
/// Share of changes that must be met by the lattice: stamps have outliers.
const MET: f64 = 0.97;
/// Log odds against chance that make a period believed.
const EVIDENCE: f64 = 25.0;

/// A lattice of renewals: `phase + k · period`, in microseconds of the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Lattice {
    /// Time between renewals.
    pub period_us: f64,
    /// One of them.
    pub phase_us: f64,
}

impl Lattice {
    /// The number of the last renewal at or before a moment.
    #[must_use]
    pub fn renewal(&self, at_us: f64) -> i64 {
        ((at_us - self.phase_us) / self.period_us).floor() as i64
    }

    /// When a renewal happens.
    #[must_use]
    pub fn moment(&self, renewal: i64) -> f64 {
        self.phase_us + renewal as f64 * self.period_us
    }
}

/// The intervals between two readings in which the value changed, and the median time between readings.
fn changes(readings: &[PowerReading], origin_ns: i64) -> (Vec<(f64, f64)>, f64) {
    let mut steps: Vec<f64> =
        readings.windows(2).map(|w| since_us(w[1].wall_ns, w[0].wall_ns)).filter(|&d| d > 0.0).collect();
    if steps.is_empty() {
        return (Vec::new(), 0.0);
    }
    let middle = steps.len() / 2;
    let read_us = *steps.select_nth_unstable_by(middle, f64::total_cmp).1;
    let relative = |at_ns: i64| since_us(at_ns, origin_ns);
    let changed = readings
        .windows(2)
        .filter(|w| w[1].wall_ns > w[0].wall_ns && w[1].microwatts() != w[0].microwatts())
        .map(|w| (relative(w[0].wall_ns), relative(w[1].wall_ns)))
        .collect();
    (changed, read_us)
}

/// The phase at which a lattice of this period meets most changes, and how many it meets.
fn best_phase(changes: &[(f64, f64)], period: f64) -> (f64, usize) {
    let mut depth = [0_i32; BINS + 1];
    let mut always = 0;
    let bin = period / BINS as f64;
    for &(before, after) in changes {
        let length = after - before;
        if length >= period {
            always += 1;
            continue;
        }
        // Bins whose middle lies in (before, after].
        let first = ((before.rem_euclid(period)) / bin + 0.5).floor() as usize;
        let last = ((before.rem_euclid(period) + length) / bin + 0.5).floor() as usize;
        for (from, to) in [(first, last.min(BINS)), (0, last.saturating_sub(BINS))] {
            if to > from {
                depth[from.min(BINS)] += 1;
                depth[to.min(BINS)] -= 1;
            }
        }
    }
    let mut running = 0;
    let covered: Vec<i32> = depth[..BINS]
        .iter()
        .map(|d| {
            running += d;
            running
        })
        .collect();
    let most = covered.iter().copied().max().unwrap_or(0);
    // The middle of the longest run of best bins, around the circle.
    let (mut best, mut length) = (0, 0);
    let mut at = 0;
    while at < BINS {
        let mut run = 0;
        while run < BINS && covered[(at + run) % BINS] == most {
            run += 1;
        }
        if run > length {
            (best, length) = (at, run);
        }
        at += run.max(1);
    }
    let phase = (best as f64 + length as f64 / 2.0) * bin;
    (phase.rem_euclid(period), most as usize + always)
}

/// Log odds of this many met intervals against intervals that lie anyhow.
fn evidence(changes: &[(f64, f64)], period: f64) -> f64 {
    changes.iter().map(|&(before, after)| (period / (after - before)).max(1.0).ln()).sum()
}

/// Finds the lattice of a block of readings. `None` when the logger reads no faster than the sensor renews, or when too
/// few changes tell.
#[must_use]
pub fn find(readings: &[PowerReading], origin_ns: i64) -> Option<Lattice> {
    let (changes, read_us) = changes(readings, origin_ns);
    if changes.len() < 16 {
        return None;
    }
    let head = &changes[..changes.len().min(256)];
    let span = head[head.len() - 1].1 - head[0].0;
    let longest = span / (head.len() - 1) as f64 * 1.02;
    let mut period = longest.max(read_us);
    let mut found = None;
    while period > 1.15 * read_us {
        let (_, met) = best_phase(head, period);
        if met as f64 >= MET * head.len() as f64 && evidence(head, period) > EVIDENCE {
            found = Some(period);
            break;
        }
        period -= period * (read_us / 6.0) / span;
    }
    let mut period = found?;
    // The first hit lies at the upper end of what fits the head: narrow it down on ever longer stretches.
    let mut count = head.len();
    loop {
        let part = &changes[..count];
        let span = part[part.len() - 1].1 - part[0].0;
        let step = period * (read_us / 12.0) / span;
        let around = (-24..=24).map(|k| period + f64::from(k) * step);
        let scored: Vec<(f64, usize)> = around.map(|p| (p, best_phase(part, p).1)).collect();
        let most = scored.iter().map(|s| s.1).max()?;
        let best: Vec<f64> = scored.iter().filter(|s| s.1 == most).map(|s| s.0).collect();
        period = best.iter().sum::<f64>() / best.len() as f64;
        if count == changes.len() {
            break;
        }
        count = (count * 2).min(changes.len());
    }
    let lattice = lock(readings, origin_ns, period)?;
    (evidence(&changes, period) > EVIDENCE).then_some(lattice)
}

/// Finds the phase of a known period in a block of readings.
#[must_use]
pub fn lock(readings: &[PowerReading], origin_ns: i64, period_us: f64) -> Option<Lattice> {
    let (changes, _) = changes(readings, origin_ns);
    let (phase, met) = best_phase(&changes, period_us);
    if changes.len() < 8 || (met as f64) < (MET - 0.02) * changes.len() as f64 {
        return None;
    }
    let mut lattice = Lattice { period_us, phase_us: refine(&changes, period_us, phase) };
    // If the halves disagree about the phase, the period is a little off.
    let (first, second) = changes.split_at(changes.len() / 2);
    let middle = |part: &[(f64, f64)]| (part[0].0 + part[part.len() - 1].1) / 2.0;
    for _ in 0..3 {
        let Lattice { period_us: period, phase_us: phase } = lattice;
        let off = |part: &[(f64, f64)]| {
            let here = refine(part, period, phase);
            (here - phase + period / 2.0).rem_euclid(period) - period / 2.0
        };
        let renewals = (middle(second) - middle(first)) / period;
        let (early, late) = (off(first), off(second));
        if renewals < 1.0 || (late - early).abs() < 0.1 {
            break;
        }
        let change = (late - early) / renewals;
        // The phase is that of renewal 0, far before this block: it moves along so that the block's middle stays.
        let turns = ((middle(first) + middle(second)) / 2.0 - phase) / period;
        let phase = phase + (early + late) / 2.0 - change * turns;
        lattice = Lattice { period_us: period + change, phase_us: phase.rem_euclid(period + change) };
    }
    Some(lattice)
}

/// The middle of the phases that meet most changes, to the microsecond: bins are too coarse for layers that short.
fn refine(changes: &[(f64, f64)], period: f64, phase: f64) -> f64 {
    let reach = 2.0 * period / BINS as f64;
    // Where, relative to `phase`, a change begins and ceases to be met; only what lies within reach matters.
    let mut events: Vec<(f64, i32)> = Vec::new();
    let mut depth = 0;
    for &(before, after) in changes {
        let low = (before - phase + period / 2.0).rem_euclid(period) - period / 2.0;
        let high = low + (after - before);
        for (low, high) in [(low, high), (low - period, high - period)] {
            if high <= -reach || low >= reach {
                continue;
            }
            if low <= -reach {
                depth += 1
            } else {
                events.push((low, 1))
            }
            if high < reach {
                events.push((high, -1));
            }
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut most, mut best, mut from) = (depth, (-reach, reach), -reach);
    let mut open = true;
    for &(at, change) in &events {
        if open && depth == most {
            best = (from, at);
            open = false;
        }
        depth += change;
        if depth > most || (depth == most && change > 0 && at - from > best.1 - best.0) {
            (most, from, open) = (depth, at, true);
        }
    }
    if open {
        best = (from, reach);
    }
    (phase + (best.0 + best.1) / 2.0).rem_euclid(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::Random;
    use shared::units::{Milliamps, Millivolts};

    fn reading(at_us: f64, milliamps: f64) -> PowerReading {
        PowerReading { wall_ns: at_us as i64 * 1000, voltage: Millivolts(5000.0), current: Milliamps(milliamps) }
    }

    /// Readings every `read_us` (with jitter) of a register renewed every `refresh_us`.
    fn log(read_us: f64, jitter_us: f64, refresh_us: f64, phase_us: f64, count: usize) -> Vec<PowerReading> {
        let mut random = Random::new(7);
        let mut at = 0.0;
        let mut values = std::collections::BTreeMap::new();
        (0..count)
            .map(|_| {
                at += read_us + jitter_us * random.normal();
                let renewal = ((at - phase_us) / refresh_us).floor() as i64;
                let value = *values.entry(renewal).or_insert_with(|| (1200.0 + 200.0 * random.normal()).round());
                reading(at, value)
            })
            .collect()
    }

    #[test]
    fn period_and_phase_are_found() {
        for (read, refresh, phase) in [(1300.0, 2200.0, 700.0), (500.0, 2200.0, 100.0), (1300.0, 6600.0, 3000.0)] {
            let readings = log(read, 40.0, refresh, phase, BLOCK);
            let lattice = find(&readings, 0).expect("a lattice");
            assert!((lattice.period_us / refresh - 1.0).abs() < 2e-4, "{refresh} {lattice:?}");
            let off = (lattice.phase_us - phase + refresh / 2.0).rem_euclid(refresh) - refresh / 2.0;
            let at_end = off + (lattice.period_us - refresh) * (readings[BLOCK - 1].wall_ns as f64 / 1e3 / refresh);
            assert!(off.abs() < 12.0 && at_end.abs() < 12.0, "{refresh}: {off} {at_end}");
        }
    }

    #[test]
    fn a_logger_slower_than_the_sensor_finds_none() {
        assert_eq!(find(&log(2290.0, 40.0, 2200.0, 0.0, BLOCK), 0), None);
        assert_eq!(find(&[], 0), None);
    }

    #[test]
    fn changes_at_random_are_no_lattice() {
        let mut random = Random::new(3);
        let readings: Vec<PowerReading> = (0..BLOCK)
            .map(|i| reading(i as f64 * 2290.0, if random.uniform() < 0.3 { 1008.0 } else { 1000.0 }))
            .collect();
        assert_eq!(find(&readings, 0), None);
    }
}
