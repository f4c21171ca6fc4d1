//! The power over a span of the log, such as the pass without the profiler.

use super::clock::since_us;
use shared::run_folder::PowerReading;
use shared::units::{Micros, Millis, Watts};
use std::collections::VecDeque;

/// Readings within a span of the log.
#[derive(Debug, Clone, Default)]
pub struct Span {
    bounds_ns: Option<(i64, i64)>,
    sum: f64,
    count: u64,
    first: Vec<f64>,
    last: VecDeque<f64>,
}

impl Span {
    /// Readings averaged at either end.
    const END: usize = 64;

    /// Between two moments of the log's own clock, in Unix ns.
    #[must_use]
    pub fn new(bounds_ns: Option<(i64, i64)>) -> Self {
        Self { bounds_ns, ..Self::default() }
    }

    /// Takes a reading, its stamp as the log has it.
    pub(crate) fn add(&mut self, reading: &PowerReading) {
        if self.bounds_ns.is_none_or(|(a, b)| reading.wall_ns < a || reading.wall_ns > b) {
            return;
        }
        let watts = reading.power().0;
        self.sum += watts;
        self.count += 1;
        if self.first.len() < Self::END {
            self.first.push(watts);
        }
        if self.last.len() == Self::END {
            self.last.pop_front();
        }
        self.last.push_back(watts);
    }

    /// Length of the span.
    #[must_use]
    pub fn length(&self) -> Option<Millis> {
        self.bounds_ns.map(|(start, end)| Micros(since_us(end, start)).into())
    }

    /// Mean power over the span. Through a lag, the mean power is the mean reading plus lag times the reading's rise over
    /// the span.
    #[must_use]
    pub fn mean(&self, lag: Micros) -> Option<Watts> {
        let (start, end) = self.bounds_ns?;
        if self.count < 2 || end <= start {
            return None;
        }
        let mean = |values: &mut dyn Iterator<Item = f64>, n: usize| values.sum::<f64>() / n as f64;
        let rise = mean(&mut self.last.iter().copied(), self.last.len())
            - mean(&mut self.first.iter().copied(), self.first.len());
        Some(Watts(self.sum / self.count as f64 + lag.0 * rise / since_us(end, start)))
    }
}
