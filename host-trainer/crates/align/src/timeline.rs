//! The run as a sequence of pieces of constant load.

use super::cycles::{self, Batch, Stamps};
use super::design::{EXCLUDED, Piece};
use super::sensor::Stretch;

/// An interruption is a pause when it lasts this many times the usual time between inferences.
const PAUSE: f64 = 5.0;

/// Undoes backward jumps of the wall clock in layer stamps, as was done for the power log: each jump there has its
/// counterpart here.
#[derive(Debug, Clone)]
pub struct LayerClock {
    stretches: Vec<Stretch>,
    current: usize,
    last_us: i64,
    extra_us: i64,
}

impl LayerClock {
    /// A clock that follows the power log's.
    #[must_use]
    pub fn new(stretches: &[Stretch]) -> Self {
        Self { stretches: stretches.to_vec(), current: 0, last_us: i64::MIN, extra_us: 0 }
    }

    /// What to add to the stamps of an inference, given its first one.
    pub fn offset(&mut self, first_us: i64) -> i64 {
        const SLACK_US: i64 = 1_000_000;
        let backwards = self.last_us != i64::MIN && first_us < self.last_us;
        let holds = |s: &Stretch| first_us >= s.start_us - SLACK_US && first_us <= s.end_us + SLACK_US;
        let from = self.current + usize::from(backwards);
        if backwards || !self.stretches.get(self.current).is_some_and(holds) {
            let found = self.stretches.iter().enumerate().skip(from).find(|(_, s)| holds(s));
            if let Some((i, _)) = found {
                self.current = i;
                self.extra_us = 0;
            } else if backwards {
                self.extra_us += self.last_us - first_us;
            }
        }
        self.last_us = first_us;
        self.stretches.get(self.current).map_or(0, |s| s.offset_us) + self.extra_us
    }
}

/// Time spent in each component, and durations of layers.
#[derive(Debug, Clone, Default)]
pub struct LayerTimes {
    /// Runs of each layer.
    pub runs: Vec<u64>,
    /// Sum of its durations in ms.
    pub total_ms: Vec<f64>,
    /// Sum of the squares of its durations.
    pub squares: Vec<f64>,
    /// Time outside layers, pauses left out, in ms.
    pub outside_ms: f64,
    /// Intervals between inferences that were not pauses, and the inferences they lie between.
    pub outside_cycles: u64,
    /// Pauses.
    pub pauses: u64,
    /// Inferences that began before the one before had ended.
    pub overlapping: u64,
    /// First start and last end of an inference, microseconds of the run's clock.
    pub span_us: Option<(f64, f64)>,
}

impl LayerTimes {
    /// Mean duration of a layer in ms; 0 without a run.
    #[must_use]
    pub fn mean_ms(&self, layer: usize) -> f64 {
        if self.runs[layer] == 0 { 0.0 } else { self.total_ms[layer] / self.runs[layer] as f64 }
    }

    /// Standard deviation of a layer's duration in ms.
    #[must_use]
    pub fn deviation_ms(&self, layer: usize) -> f64 {
        let n = self.runs[layer] as f64;
        if n < 2.0 {
            return 0.0;
        }
        let mean = self.total_ms[layer] / n;
        ((self.squares[layer] / n - mean * mean).max(0.0) * n / (n - 1.0)).sqrt()
    }

    /// Mean time outside the layers for one inference, in ms.
    #[must_use]
    pub fn mean_outside_ms(&self) -> f64 {
        if self.outside_cycles == 0 { 0.0 } else { self.outside_ms / self.outside_cycles as f64 }
    }
}

/// Lays inferences on the timeline, one after the other.
#[derive(Debug, Clone)]
pub struct Timeline {
    stamps: Stamps,
    gap_us: f64,
    origin_us: i64,
    clock: LayerClock,
    layers: usize,
    pause_us: f64,
    last_end_us: Option<f64>,
    windows: Vec<(f64, f64)>,
    /// What was laid out so far.
    pub times: LayerTimes,
    /// Where the first of `pieces` begins.
    pub start_us: f64,
    /// Pieces not yet dropped.
    pub pieces: Vec<Piece>,
}

impl Timeline {
    /// An empty timeline. `period_us` is the usual time between inferences.
    #[must_use]
    pub fn new(stamps: Stamps, origin_us: i64, stretches: &[Stretch], layers: usize, period_us: f64) -> Self {
        Self {
            stamps,
            gap_us: 0.0,
            origin_us,
            clock: LayerClock::new(stretches),
            layers,
            pause_us: (PAUSE * period_us).max(1e3),
            last_end_us: None,
            windows: Vec::new(),
            times: LayerTimes {
                runs: vec![0; layers],
                total_ms: vec![0.0; layers],
                squares: vec![0.0; layers],
                ..LayerTimes::default()
            },
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
        for i in 0..batch.len() {
            let (ms, at) = batch.cycle(i);
            self.push_cycle(ms, at);
        }
    }

    fn push_cycle(&mut self, ms: &[f64], at_us: &[i64]) {
        let Some(first) = at_us.iter().zip(ms).filter(|(_, ms)| !ms.is_nan()).map(|(&at, _)| at).min() else { return };
        let origin = self.origin_us - self.clock.offset(first);
        let mut windows = std::mem::take(&mut self.windows);
        cycles::lay_out(self.stamps, self.gap_us, ms, at_us, origin, &mut windows);
        let whole = ms.iter().all(|ms| !ms.is_nan());
        let outside = self.layers as u32;
        let start = windows.iter().map(|w| w.0).filter(|w| !w.is_nan()).fold(f64::INFINITY, f64::min);
        let mut end = self.last_end_us.unwrap_or(start);
        if self.last_end_us.is_none() {
            self.start_us = start;
        }
        if start < end - 1.0 {
            self.times.overlapping += 1;
        }
        if start > end {
            let pause = start - end > self.pause_us;
            self.pieces.push(Piece { end_us: start, component: if pause { EXCLUDED } else { outside } });
            self.times.pauses += u64::from(pause);
            if !pause {
                self.times.outside_ms += (start - end) * 1e-3;
            }
        }
        if self.last_end_us.is_none() || start - end <= self.pause_us {
            self.times.outside_cycles += 1;
        }
        end = end.max(start);
        let first_start = end;
        for (layer, (&(from, to), &ms)) in windows.iter().zip(ms).enumerate() {
            if ms.is_nan() {
                continue;
            }
            self.times.runs[layer] += 1;
            self.times.total_ms[layer] += ms;
            self.times.squares[layer] += ms * ms;
            if from > end {
                // In an inference that lacks a layer, a gap may be that layer.
                self.pieces.push(Piece { end_us: from, component: if whole { outside } else { EXCLUDED } });
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

    /// The end of what was laid out.
    #[must_use]
    pub fn end_us(&self) -> f64 {
        self.last_end_us.unwrap_or(f64::NEG_INFINITY)
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

/// The usual time from one inference to the next, in microseconds, from the first stamps of a batch.
#[must_use]
pub fn usual_period(batch: &Batch) -> f64 {
    let first = |i: usize| {
        let (ms, at) = batch.cycle(i);
        at.iter().zip(ms).filter(|(_, ms)| !ms.is_nan()).map(|(&at, _)| at).min().unwrap_or(0)
    };
    let starts: Vec<i64> = (0..batch.len()).map(first).collect();
    let mut steps: Vec<i64> = starts.windows(2).map(|w| w[1] - w[0]).filter(|&d| d > 0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(cycles: &[([f64; 2], [i64; 2])]) -> Batch {
        let mut batch = Batch { layers: 2, ..Batch::default() };
        for (ms, at) in cycles {
            batch.ms.extend(ms);
            batch.at_us.extend(at);
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
    fn a_jump_back_is_undone_like_the_power_logs() {
        let stretches = [
            Stretch { start_us: 0, end_us: 10_000_000, offset_us: 0 },
            Stretch { start_us: 5_000_000, end_us: 9_000_000, offset_us: 5_001_000 },
        ];
        let mut clock = LayerClock::new(&stretches);
        assert_eq!(clock.offset(9_990_000), 0);
        assert_eq!(clock.offset(5_000_500), 5_001_000);
        assert_eq!(clock.offset(6_000_000), 5_001_000);
        // No counterpart in the power log: time goes on from where it was.
        assert_eq!(clock.offset(4_999_000 - 2_000_000), 5_001_000 + 3_001_000);
    }
}
