//! The power over a span of the log, such as the pass without the profiler.

use super::clock::since_us;
use shared::run_folder::{PowerReading, PowerReadings};
use shared::units::{Micros, Millis, Watts};
use std::collections::VecDeque;
use std::io;

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

/// Readings of a steady load.
pub(crate) struct Settled;

impl Settled {
    /// Parts whose means say how well the mean is known.
    const PARTS: usize = 8;

    /// Mean power between two moments, and its standard deviation: from the scatter of the means of parts, which a lag makes
    /// alike, and from rounding, which does not average out where readings hardly move. `None` where a part has no reading.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn read(
        log: &mut dyn PowerReadings,
        (start_ns, end_ns): (i64, i64),
        lag: Micros,
    ) -> io::Result<Option<(f64, f64)>> {
        let length_us = since_us(end_ns, start_ns);
        let mut parts = [(0.0, 0_u32); Self::PARTS];
        let (mut first, mut last, mut step) = (None, 0.0, f64::INFINITY);
        let (mut squares, mut chunk) = (0.0, Vec::new());
        loop {
            log.read_chunk(&mut chunk)?;
            if chunk.is_empty() {
                break;
            }
            for reading in chunk.iter().filter(|r| (start_ns..end_ns).contains(&r.wall_ns)) {
                let watts = reading.power().0;
                let part = (since_us(reading.wall_ns, start_ns) / length_us * Self::PARTS as f64) as usize;
                let (sum, count) = &mut parts[part.min(Self::PARTS - 1)];
                (*sum, *count) = (*sum + watts, *count + 1);
                let before = first.map_or(watts, |_| last);
                first.get_or_insert(watts);
                if (watts - before).abs() > 1e-9 {
                    step = step.min((watts - before).abs());
                }
                squares += (watts - before).powi(2);
                last = watts;
            }
        }
        let Some(first) = first.filter(|_| parts.iter().all(|p| p.1 > 0)) else { return Ok(None) };
        let count: f64 = parts.iter().map(|p| f64::from(p.1)).sum();
        // Through a lag, the mean power is the mean reading plus lag times the reading's rise.
        let mean = parts.iter().map(|p| p.0).sum::<f64>() / count + lag.0 * (last - first) / length_us;
        let n = Self::PARTS as f64;
        let scatter = parts.iter().map(|p| (p.0 / f64::from(p.1) - mean).powi(2)).sum::<f64>() / (n * (n - 1.0));
        let alike = 1.0 + 2.0 * lag.0 * n / length_us;
        let rounding = if step.is_finite() { step / 12_f64.sqrt() } else { 0.01 * mean.abs() };
        // Readings that move by more than a step from one to the next average the rounding out.
        let moved = (squares / count).sqrt();
        let rounding = rounding * (rounding / moved.max(1e-12)).min(1.0);
        Ok(Some((mean, (scatter * alike + rounding * rounding).sqrt())))
    }
}
