//! From inferences and readings to the power of each layer.

use super::batch::{Batch, Inferences};
use super::calibration::CalibrationSubset;
use super::evidence::{Evidence, Gathered};
use super::input::AttributionInput;
use super::normal_equations::NormalEquations;
use super::nuisance::NuisanceColumns;
use super::pieces::Sample;
use super::polish::polish;
use super::reading_buffer::ReadingBuffer;
use super::response::FittedResponse;
use super::search;
use super::timeline::Timeline;
use super::weights::ReadingWeights;
use rayon::prelude::*;
use std::io;

/// Sums that are made at the same time.
const PARTS: usize = 4;

/// Works through a run.
///
/// # Errors
/// When the run cannot be read.
pub fn attribute(input: &AttributionInput<'_>) -> io::Result<Evidence> {
    let components = input.layers + 1;
    let sensor = &input.survey.sensor;
    let sample_us = sensor.sample_period().0;
    let lag_us = sensor.lag().0;
    // A lag far longer than the readings' spacing makes neighbours tell the same: some of them do.
    let spacing_us = if lag_us > 40.0 * sample_us { lag_us / 40.0 } else { 0.0 };
    let empty =
        Timeline::new(input.stamps, input.survey.origin_ns, &input.survey.stretches, input.layers, input.period);
    let mut subset = CalibrationSubset::collect(input, empty.clone(), spacing_us)?;
    let (response, window_known) = search::response(sensor, &mut subset, components, sample_us, input.period.0);
    let block_us = (20.0 * response.lag_us).max(1e6).max(20.0 * input.period.0);
    let response = polish(&mut subset, response, components, window_known, sample_us);
    let nuisances = NuisanceColumns::of(&subset, response, components, window_known, sample_us);

    let mut inferences = (input.inferences)()?;
    let mut readings = ReadingBuffer::new((input.power)()?, input.survey, spacing_us);
    let mut pass = Pass::new(&empty, response, components, nuisances, block_us);
    let mut batch = Batch::default();
    let (mut samples, mut raw) = (Vec::new(), Vec::new());
    loop {
        inferences.next_batch(&mut batch)?;
        if batch.is_empty() {
            break;
        }
        pass.lay_out(&batch);
        samples.clear();
        raw.clear();
        readings.take(pass.timeline.start_us, pass.end_us() + response.delay_us, &mut samples, &mut raw)?;
        pass.take(&samples, &raw);
        pass.forget(response.delay_us + response.window_us + 2e4 + sample_us);
    }
    Ok(pass.finish(inferences.as_ref(), subset, response).conclude())
}

/// One pass over inferences and readings.
struct Pass {
    timeline: Timeline,
    /// Timelines with other gaps between layers, for the columns of the gap.
    others: Vec<Timeline>,
    parts: Vec<(ReadingWeights, NuisanceColumns, NormalEquations)>,
    counts: Vec<u64>,
}

impl Pass {
    fn new(
        empty: &Timeline,
        response: FittedResponse,
        components: usize,
        nuisances: NuisanceColumns,
        block_us: f64,
    ) -> Self {
        let columns = components + nuisances.len();
        // A fixed number of parts, so that the sums do not depend on the machine; a lag has to be followed in order.
        let count = if response.lag_us > 0.0 { 1 } else { PARTS };
        let part = || {
            let weights = ReadingWeights::new(components, response);
            (weights, nuisances.clone(), NormalEquations::new(columns, block_us))
        };
        Self {
            timeline: empty.clone().with_gap(response.gap_us),
            others: nuisances.gaps().iter().map(|&gap| empty.clone().with_gap(gap)).collect(),
            parts: (0..count).map(|_| part()).collect(),
            counts: vec![0; components],
        }
    }

    fn end_us(&self) -> f64 {
        self.timeline.end_us()
    }

    fn lay_out(&mut self, batch: &Batch) {
        self.timeline.push(batch);
        self.others.par_iter_mut().for_each(|other| other.push(batch));
    }

    fn take(&mut self, samples: &[Sample], raw: &[f64]) {
        count_readings(&self.timeline, raw, &mut self.counts);
        let (timeline, others) = (&self.timeline, &self.others);
        let length = samples.len().div_ceil(self.parts.len()).max(1);
        self.parts.par_iter_mut().zip(samples.par_chunks(length)).for_each(|((weights, nuisances, sums), part)| {
            for &sample in part {
                if weights.weigh(timeline.start_us, &timeline.pieces, sample.at_us)
                    && nuisances.weigh(timeline, others, sample.at_us)
                {
                    let (row, touched) = weights.weights();
                    sums.add_with(sample, row, touched, &nuisances.values);
                }
            }
        });
    }

    /// Drops the pieces that no reading to come can have seen: those that end `reach_us` before the last one.
    fn forget(&mut self, reach_us: f64) {
        let before = self.end_us() - reach_us;
        self.timeline.forget(before);
        self.others.iter_mut().for_each(|other| other.forget(before));
    }

    fn finish(self, inferences: &dyn Inferences, subset: CalibrationSubset, response: FittedResponse) -> Gathered {
        let layers = self.counts.len() - 1;
        let sums = self.parts.into_iter().map(|(.., sums)| sums).reduce(|mut all, part| {
            all.merge(part);
            all
        });
        let mut sums = sums.unwrap_or_else(|| NormalEquations::new(layers + 1, 1e6));
        sums.finish();
        Gathered {
            layers,
            counts: inferences.counts(),
            diagnostics: inferences.diagnostics(),
            times: self.timeline.times,
            response,
            sums,
            readings: self.counts,
            subset,
        }
    }
}

/// Counts the readings that fell into each component's time; moments in order.
fn count_readings(timeline: &Timeline, raw: &[f64], counts: &mut [u64]) {
    let mut at = 0;
    for &moment in raw {
        while at < timeline.pieces.len() && timeline.pieces[at].end_us < moment {
            at += 1;
        }
        let Some(piece) = timeline.pieces.get(at) else { return };
        if let Some(count) = counts.get_mut(piece.component as usize) {
            *count += 1;
        }
    }
}
