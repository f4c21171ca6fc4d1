//! The beginning of a run, kept in full to estimate the sensor's response and noise from it.

use super::batch::{BATCH, Batch};
use super::excerpt::Excerpt;
use super::input::AttributionInput;
use super::lagged::LAG_ERROR;
use super::phase_test::depends_on_phase;
use super::pieces::{Piece, Sample};
use super::reading_buffer::ReadingBuffer;
use super::stamps::Stamps;
use super::timeline::Timeline;
use std::io;

/// Runs of layers that are kept, and the fewest and most inferences.
const RUNS: u64 = 160_000;
const CYCLES: (u64, u64) = (2 * BATCH as u64, 16 * BATCH as u64);
/// Readings that are kept.
const READINGS: usize = 8192;

/// The beginning of a run, in full: what response and noise are estimated from.
pub(crate) struct CalibrationSubset {
    empty: Timeline,
    cycles: Batch,
    pub(crate) stamps: Stamps,
    period_us: f64,
    pub(crate) start_us: f64,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) samples: Vec<Sample>,
}

impl CalibrationSubset {
    /// Mean of the readings, corrected for what a lag had not shown yet: the mean power over a stretch is the mean
    /// reading plus lag times the reading's rise over it. With its standard error.
    pub(crate) fn plain_mean(&self, lag_us: f64) -> Option<(f64, f64)> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let n = self.samples.len() as f64;
        let mean = self.samples.iter().map(|s| s.watts).sum::<f64>() / n;
        let variance = self.samples.iter().map(|s| (s.watts - mean).powi(2)).sum::<f64>() / n;
        let span = last.at_us - first.at_us;
        if span <= 0.0 || lag_us <= 0.0 {
            let error = if n < 8.0 { f64::INFINITY } else { (variance / n).sqrt() };
            return Some((mean, error));
        }
        // Rounding and noise of one reading count little: they are divided by how many lags the run is long. The lag itself
        // is known to some percent.
        let rise = (last.watts - first.watts) / span;
        let steps = self.samples.windows(2).map(|w| (w[1].watts - w[0].watts).powi(2)).sum::<f64>() / n;
        let error = (2.0 * steps * (lag_us / span).powi(2) + (LAG_ERROR * lag_us * rise).powi(2)).sqrt();
        Some((mean + lag_us * rise, error))
    }

    /// Lays the inferences out with another gap between layers: where the first piece begins, and the pieces.
    pub(crate) fn lay_out(&self, gap_us: f64) -> (f64, Vec<Piece>) {
        let timeline = self.timeline(gap_us);
        (timeline.start_us, timeline.pieces)
    }

    pub(crate) fn timeline(&self, gap_us: f64) -> Timeline {
        self.timeline_of(gap_us, self.cycles.len())
    }

    /// The timeline of the first inferences.
    pub(crate) fn timeline_of(&self, gap_us: f64, cycles: usize) -> Timeline {
        let mut timeline = self.empty.clone().with_gap(gap_us);
        timeline.push_first(&self.cycles, cycles);
        timeline
    }

    /// Inferences that readings before a moment can have seen.
    pub(crate) fn cycles_before(&self, at_us: f64) -> usize {
        let count = self.pieces.partition_point(|p| p.end_us <= at_us);
        let begun = self.pieces[..count].iter().filter(|p| p.component == 0).count();
        (begun + 4).min(self.cycles.len())
    }

    /// Whether readings depend on when in an inference they were taken; where they do not, no response explains them.
    pub(crate) fn shows_inferences(&self) -> bool {
        let ends = std::iter::once(self.start_us).chain(self.pieces.iter().map(|p| p.end_us));
        let starts: Vec<f64> =
            ends.zip(&self.pieces).filter(|(_, p)| p.component == 0).map(|(start, _)| start).collect();
        // Of a first layer without any time nothing is seen.
        starts.len() < self.cycles.len() / 2 || depends_on_phase(&self.samples, &starts, 5.0 * self.period_us)
    }

    /// The usual time from one inference to the next.
    pub(crate) fn period_us(&self) -> f64 {
        self.period_us
    }

    /// Longest gap between layers that leaves the inferences room.
    pub(crate) fn longest_gap_us(&self) -> f64 {
        let count = self.cycles.layers.max(2) as f64 - 1.0;
        let times = |outside: &Piece| outside.component == self.cycles.layers as u32;
        let mut free: Vec<f64> =
            self.pieces.windows(2).filter(|w| times(&w[1])).map(|w| w[1].end_us - w[0].end_us).collect();
        free.sort_by(f64::total_cmp);
        free.get(free.len() / 4).map_or(0.0, |f| 0.9 * f / count)
    }

    pub(crate) fn excerpt(&self) -> Excerpt {
        // Eight inferences' worth of pieces and no more than some hundreds of readings.
        let pieces: Vec<(f64, u32)> = self.pieces.iter().take(4000).map(|p| (p.end_us, p.component)).collect();
        let end = pieces.last().map_or(self.start_us, |p| p.0);
        let samples = self.samples.iter().filter(|s| s.at_us >= self.start_us && s.at_us <= end);
        Excerpt { start_us: self.start_us, samples: samples.take(600).map(|s| (s.at_us, s.watts)).collect(), pieces }
    }

    /// Collects the beginning of a run. `empty` is the timeline before anything was laid out.
    ///
    /// # Errors
    /// When the run cannot be read.
    pub(crate) fn collect(input: &AttributionInput<'_>, empty: Timeline) -> io::Result<Self> {
        let mut inferences = (input.inferences)()?;
        let mut timeline = empty.clone();
        let (mut batch, mut all) = (Batch::default(), Batch::default());
        let mut readings = ReadingBuffer::new((input.power)()?, input.survey);
        let (mut samples, mut raw) = (Vec::new(), Vec::new());
        let cycles = (RUNS / input.layers.max(1) as u64).clamp(CYCLES.0, CYCLES.1);
        while inferences.counts().cycles < cycles && samples.len() < READINGS {
            inferences.next_batch(&mut batch)?;
            if batch.is_empty() {
                break;
            }
            timeline.push(&batch);
            all.append(&batch);
            raw.clear();
            readings.take(timeline.start_us, timeline.end_us(), &mut samples, &mut raw)?;
        }
        samples.truncate(READINGS);
        let Timeline { start_us, pieces, .. } = timeline;
        Ok(Self { empty, cycles: all, stamps: input.stamps, period_us: input.period.0, start_us, pieces, samples })
    }
}
