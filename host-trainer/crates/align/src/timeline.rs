//! The run as a sequence of pieces of constant load.

use super::batch::Batch;
use super::clock::{Stretch, since_us};
use super::layer_clock::LayerClock;
use super::layer_times::LayerTimes;
use super::pieces::{EXCLUDED, Piece};
use super::stamps::{Stamps, lay_out};
use shared::units::Micros;

/// An interruption is a pause when it lasts this many times the usual time between inferences.
const PAUSE: f64 = 5.0;

/// Lays inferences on the timeline, one after the other.
#[derive(Debug, Clone)]
pub struct Timeline {
    stamps: Stamps,
    gap_us: f64,
    origin_ns: i64,
    clock: LayerClock,
    layers: usize,
    pause_us: f64,
    last_end_us: Option<f64>,
    lost: bool,
    windows: Vec<(f64, f64)>,
    /// What was laid out so far.
    pub times: LayerTimes,
    /// Where the first of `pieces` begins.
    pub start_us: f64,
    /// Pieces not yet dropped.
    pub pieces: Vec<Piece>,
}

impl Timeline {
    /// An empty timeline. `period` is the usual time between inferences; `origin_ns` is where the run's clock begins, Unix ns.
    #[must_use]
    pub fn new(stamps: Stamps, origin_ns: i64, stretches: &[Stretch], layers: usize, period: Micros) -> Self {
        Self {
            stamps,
            gap_us: 0.0,
            origin_ns,
            clock: LayerClock::new(stretches),
            layers,
            pause_us: (PAUSE * period.0).max(1e3),
            last_end_us: None,
            lost: false,
            windows: Vec::new(),
            times: LayerTimes::new(layers),
            start_us: 0.0,
            pieces: Vec::new(),
        }
    }

    /// The same timeline with time between one layer and the next, where the stamps do not tell it.
    #[must_use]
    pub fn with_gap(mut self, gap_us: f64) -> Self {
        self.gap_us = gap_us;
        self
    }

    /// Appends the inferences of a batch.
    pub fn push(&mut self, batch: &Batch) {
        self.push_first(batch, batch.len());
    }

    /// Appends the first inferences of a batch.
    pub(crate) fn push_first(&mut self, batch: &Batch, count: usize) {
        for i in 0..count.min(batch.len()) {
            self.lost |= batch.lost_before.binary_search(&i).is_ok();
            let (ms, wall_ns) = batch.cycle(i);
            self.push_cycle(ms, wall_ns);
        }
    }

    fn push_cycle(&mut self, ms: &[f64], wall_ns: &[i64]) {
        let Some(first) = wall_ns.iter().zip(ms).filter(|(_, ms)| !ms.is_nan()).map(|(&at, _)| at).min() else {
            return;
        };
        let origin = self.origin_ns.saturating_sub(self.clock.offset(first));
        let mut windows = std::mem::take(&mut self.windows);
        lay_out(self.stamps, self.gap_us, ms, wall_ns, origin, &mut windows);
        let whole = ms.iter().all(|ms| !ms.is_nan());
        let start = windows.iter().map(|w| w.0).filter(|w| !w.is_nan()).fold(f64::INFINITY, f64::min);
        let mut end = self.last_end_us.unwrap_or(start);
        self.push_interval(start, end);
        end = end.max(start);
        let first_start = end;
        for (layer, (&(from, to), &ms)) in windows.iter().zip(ms).enumerate() {
            if ms.is_nan() {
                continue;
            }
            self.times.add(layer, ms);
            if from > end {
                // In an inference that lacks a layer, a gap may be that layer.
                self.pieces.push(Piece { end_us: from, component: if whole { self.layers as u32 } else { EXCLUDED } });
                if whole {
                    self.times.outside_ms += (from - end) * 1e-3;
                }
                end = from;
            }
            if to > end {
                self.pieces.push(Piece { end_us: to, component: layer as u32 });
                end = to;
            }
        }
        let span = self.times.span_us.get_or_insert((first_start, end));
        span.1 = end;
        self.last_end_us = Some(end);
        self.windows = windows;
    }

    /// The time between the last inference, which ended at `end`, and the next. Other inferences may have run in a pause or
    /// where some were lost: that time is left out.
    fn push_interval(&mut self, start: f64, end: f64) {
        let lost = std::mem::take(&mut self.lost);
        let pause = lost || start - end > self.pause_us;
        if self.last_end_us.is_none() {
            self.start_us = start;
        }
        if start < end - 1.0 {
            self.times.overlapping += 1;
        }
        if start > end {
            self.pieces.push(Piece { end_us: start, component: if pause { EXCLUDED } else { self.layers as u32 } });
            self.times.pauses += u64::from(pause);
            if !pause {
                self.times.outside_ms += (start - end) * 1e-3;
            }
        }
        if self.last_end_us.is_none() || !pause {
            self.times.outside_cycles += 1;
        }
    }

    /// The end of what was laid out.
    #[must_use]
    pub fn end_us(&self) -> f64 {
        self.last_end_us.unwrap_or(f64::NEG_INFINITY)
    }

    /// Which half of which component's piece a moment lies in: `2 · component` or one more. `None` outside inferences.
    #[must_use]
    pub fn phase(&self, at_us: f64) -> Option<usize> {
        let at = self.pieces.partition_point(|p| p.end_us <= at_us);
        let piece = self.pieces.get(at).filter(|p| p.component != EXCLUDED)?;
        let start = at.checked_sub(1).map_or(self.start_us, |before| self.pieces[before].end_us);
        Some(2 * piece.component as usize + usize::from(2.0 * at_us > start + piece.end_us))
    }

    /// Drops pieces that end before a moment.
    pub fn forget(&mut self, before_us: f64) {
        let count = self.pieces.partition_point(|p| p.end_us <= before_us);
        if count > 0 {
            self.start_us = self.pieces[count - 1].end_us;
            self.pieces.drain(..count);
        }
    }
}

/// The usual time from one inference to the next, from the first stamps of a batch.
#[must_use]
pub fn usual_period(batch: &Batch) -> Micros {
    let first = |i: usize| {
        let (ms, at) = batch.cycle(i);
        at.iter().zip(ms).filter(|(_, ms)| !ms.is_nan()).map(|(&at, _)| at).min().unwrap_or(0)
    };
    let starts: Vec<i64> = (0..batch.len()).map(first).collect();
    let mut steps: Vec<f64> = starts.windows(2).map(|w| since_us(w[1], w[0])).filter(|&d| d > 0.0).collect();
    steps.sort_unstable_by(f64::total_cmp);
    Micros(steps.get(steps.len() / 2).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::units::Millis;

    fn batch(cycles: &[([f64; 2], [i64; 2])]) -> Batch {
        let mut batch = Batch { layers: 2, ..Batch::default() };
        for (ms, at) in cycles {
            batch.ms.extend(ms);
            batch.wall_ns.extend(at.map(|at| if at == i64::MIN { at } else { at * 1000 }));
        }
        batch
    }

    #[test]
    fn pieces_cover_the_run_and_pauses_are_left_out() {
        let all = batch(&[
            ([1.0, 2.0], [1_000, 3_000]),
            ([1.0, 2.0], [5_000, 7_000]),
            ([1.0, f64::NAN], [9_000, i64::MIN]),
            ([1.0, 2.0], [100_000, 102_000]),
        ]);
        let mut timeline = Timeline::new(Stamps::LayerEnds, 0, &[], 2, usual_period(&all));
        timeline.push(&all);
        let pieces: Vec<(f64, u32)> = timeline.pieces.iter().map(|p| (p.end_us, p.component)).collect();
        assert_eq!(
            pieces,
            [
                (1e3, 0),
                (3e3, 1),
                (4e3, 2),
                (5e3, 0),
                (7e3, 1),
                (8e3, 2),
                (9e3, 0),
                (99e3, EXCLUDED),
                (100e3, 0),
                (102e3, 1)
            ]
        );
        assert_eq!((timeline.times.runs[0], timeline.times.runs[1], timeline.times.pauses), (4, 3, 1));
        timeline.forget(5e3);
        assert_eq!((timeline.start_us, timeline.pieces.len()), (5e3, 6));
    }

    #[test]
    fn time_in_which_inferences_were_lost_is_left_out() {
        let mut all =
            batch(&[([1.0, 2.0], [1_000, 3_000]), ([1.0, 2.0], [5_000, 7_000]), ([1.0, 2.0], [9_000, 11_000])]);
        all.lost_before.push(2);
        let mut timeline = Timeline::new(Stamps::LayerEnds, 0, &[], 2, usual_period(&all));
        timeline.push(&all);
        let components: Vec<u32> = timeline.pieces.iter().map(|p| p.component).collect();
        assert_eq!(components, [0, 1, 2, 0, 1, EXCLUDED, 0, 1]);
        assert_eq!((timeline.times.pauses, timeline.times.mean_outside()), (1, Millis(0.5)));
    }
}
