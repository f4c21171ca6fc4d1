//! From inferences and readings to the power of each layer.

use super::aliasing::{self, Tracker, averaged, findable};
use super::batch::{Batch, Inferences};
use super::calibration::CalibrationSubset;
use super::evidence::{Evidence, Gathered};
use super::found::Found;
use super::input::AttributionInput;
use super::lagged::LaggedMean;
use super::level::LevelScatter;
use super::misfit::Phases;
use super::normal_equations::NormalEquations;
use super::nuisance::NuisanceColumns;
use super::pieces::Sample;
use super::reading_buffer::ReadingBuffer;
use super::refresh::Lattice;
use super::response::scaled;
use super::search::Search;
use super::timeline::Timeline;
use super::weights::ReadingWeights;
use rayon::prelude::*;
use shared::sensor::SensorFamily;
use std::io;

/// Sums that are made at the same time.
const PARTS: usize = 4;
/// Readings of a block whose mean is taken out.
const BLOCK_READINGS: f64 = 64.0;
/// Parts of the run whose answers are compared.
const SEGMENTS: usize = 16;

/// Works through a run.
///
/// # Errors
/// When the run cannot be read.
pub fn attribute(input: &AttributionInput<'_>) -> io::Result<Evidence> {
    let components = input.layers + 1;
    let sensor = &input.survey.sensor;
    let empty =
        Timeline::new(input.stamps, input.survey.origin_ns, &input.survey.stretches, input.layers, input.period);
    let mut subset = CalibrationSubset::collect(input, empty.clone())?;
    if !input.is_fitted {
        let found = Found::unsearched(sensor);
        return Ok(run(input, &empty, subset, &found, NuisanceColumns::none(), None)?.conclude());
    }
    let idle = input.idle.map(|idle| idle.0);
    let aliased = sensor.aliased();
    let averaged = aliased.zip(sensor.read_period).map(|(family, read)| averaged(family, read.into()));
    let mut found = Search::new(&subset, components, idle).response(sensor, averaged);
    let mut tracker = None;
    if let Some((family, lattice)) =
        aliased.filter(|f| findable(*f)).and_then(|family| renewals(&mut subset, &found, family, components, idle))
    {
        let raw = subset.samples.clone();
        place(&mut subset.samples, lattice);
        found = Search::new(&subset, components, idle).response(sensor, Some(family));
        let powers = Search::new(&subset, components, idle).powers(found.response);
        tracker = powers.map(|(watts, _)| Tracker::new(lattice, found.response, &watts));
        // The columns are made from readings at their moments as the whole run has them.
        if let Some(tracker) = &tracker {
            (subset.start_us, subset.pieces) = subset.lay_out(found.response.gap_us);
            subset.samples = raw;
            tracker.clone().place(subset.start_us, &subset.pieces, &mut subset.samples);
        }
    }
    (subset.start_us, subset.pieces) = subset.lay_out(found.response.gap_us);
    let nuisances = columns(&subset, &found, components, idle);
    let gathered = run(input, &empty, subset, &found, nuisances, tracker.clone())?;
    // The columns say how the answer changes with the response near where they were made: further off, once more from there.
    let Some(better) = gathered.corrected() else { return Ok(gathered.conclude()) };
    let Gathered { mut subset, .. } = gathered;
    (subset.start_us, subset.pieces) = subset.lay_out(better.gap_us);
    let found = Found { response: better, ..found };
    let nuisances = columns(&subset, &found, components, idle);
    Ok(run(input, &empty, subset, &found, nuisances, tracker)?.conclude())
}

/// Adds up all readings of a run.
fn run(
    input: &AttributionInput<'_>,
    empty: &Timeline,
    subset: CalibrationSubset,
    found: &Found,
    nuisances: NuisanceColumns,
    mut tracker: Option<Tracker>,
) -> io::Result<Gathered> {
    let response = found.response;
    let mut inferences = (input.inferences)()?;
    let mut readings = ReadingBuffer::new((input.power)()?, input.survey);
    let span_us = super::clock::since_us(input.survey.end_ns, input.survey.origin_ns);
    let spacing_us = input.survey.sensor.sample_period().0;
    let mut pass = Pass::new(empty, found, input.layers + 1, nuisances, (span_us, spacing_us));
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
        if let Some(tracker) = &mut tracker {
            tracker.place(pass.timeline.start_us, &pass.timeline.pieces, &mut samples);
        }
        pass.take(&samples, &raw);
        pass.forget(response.reach_us() + 2e4 + input.survey.sensor.sample_period().0);
    }
    let idle = input.idle.map(|idle| idle.0);
    let noise = input.survey.sensor.noise.map_or(0.0, |noise| noise.0);
    Ok(pass.finish(inferences.as_ref(), subset, found.clone(), (idle, noise)))
}

/// The renewals of a register that is read slower than it is renewed, with the family at the chip's own clock.
fn renewals(
    subset: &mut CalibrationSubset,
    found: &Found,
    family: SensorFamily,
    components: usize,
    idle: Option<f64>,
) -> Option<(SensorFamily, Lattice)> {
    (subset.start_us, subset.pieces) = subset.lay_out(found.response.gap_us);
    let (watts, noise) = Search::new(subset, components, idle).powers(found.response)?;
    let lattice = aliasing::find(subset, family, found.response, &watts, noise)?;
    Some((scaled(family, lattice.period_us / family.refresh().0), lattice))
}

/// Puts readings at the moments of their renewals.
fn place(samples: &mut Vec<Sample>, lattice: Lattice) {
    samples.retain(|sample| aliasing::is_clear(lattice, sample.at_us));
    for sample in samples.iter_mut() {
        sample.at_us = lattice.moment(lattice.renewal(sample.at_us));
    }
    samples.dedup_by(|later, earlier| later.at_us <= earlier.at_us);
}

/// The columns of what varies, with powers from the run's beginning. A second fit, with the columns of the first, has the
/// better powers: scatter of stamps makes layers alike as long as it is not taken off.
fn columns(subset: &CalibrationSubset, found: &Found, components: usize, idle: Option<f64>) -> NuisanceColumns {
    let search = Search::all(subset, components, idle);
    let first = search.powers_with(found, &mut NuisanceColumns::none());
    let Some(watts) = first else { return NuisanceColumns::none() };
    let mut columns = NuisanceColumns::of(&found.varied, found.response, &watts, found.memory);
    match search.powers_with(found, &mut columns) {
        Some(watts) => NuisanceColumns::of(&found.varied, found.response, &watts, found.memory),
        None => columns,
    }
}

/// One pass over inferences and readings.
struct Pass {
    timeline: Timeline,
    /// Timelines with other gaps between layers, for the columns of the gap.
    others: Vec<Timeline>,
    parts: Vec<Part>,
    counts: Vec<u64>,
    span_us: f64,
    /// From a reading back to the middle of its last conversion.
    middle_us: f64,
}

/// What one thread adds up.
struct Part {
    weights: ReadingWeights,
    nuisances: NuisanceColumns,
    segments: Vec<Option<NormalEquations>>,
    phases: Phases,
    /// Powers known beforehand.
    known: Vec<f64>,
    /// The reading before, and the mean power, where a filter is in the sensor.
    last: Option<Sample>,
    lagged: Option<LaggedMean>,
    /// How far the level of the readings differs from what is known beforehand, from block to block.
    level: LevelScatter,
    /// Length of the blocks within which only differences count.
    block_us: f64,
}

impl Pass {
    /// `span_us` is the run's length, `spacing_us` the time between readings.
    fn new(
        empty: &Timeline,
        found: &Found,
        components: usize,
        nuisances: NuisanceColumns,
        (span_us, spacing_us): (f64, f64),
    ) -> Self {
        let response = found.response;
        let kernel = response.kernel();
        // A fixed number of parts, so that the sums do not depend on the machine; a memory has to be followed in order.
        let in_order = kernel.keep > 0.0 || kernel.lag_us > 0.0 || kernel.since_last;
        let part = || Part {
            weights: ReadingWeights::new(components, response).with_memory(found.memory),
            nuisances: nuisances.clone(),
            segments: vec![None; SEGMENTS],
            phases: Phases::new(2 * components, components + nuisances.len()),
            known: nuisances.watts().to_vec(),
            last: None,
            lagged: LaggedMean::of(response),
            level: LevelScatter::new(block_us(span_us, spacing_us)),
            block_us: block_us(span_us, spacing_us),
        };
        Self {
            timeline: empty.clone().with_gap(response.gap_us),
            others: nuisances.gaps().iter().map(|&gap| empty.clone().with_gap(gap)).collect(),
            parts: (0..if in_order { 1 } else { PARTS }).map(|_| part()).collect(),
            counts: vec![0; components],
            span_us,
            middle_us: response.delay_us + 0.5 * kernel.conversion_us + response.smoothing_us,
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
        let (timeline, others, span_us, middle_us) = (&self.timeline, &self.others, self.span_us, self.middle_us);
        let length = samples.len().div_ceil(self.parts.len()).max(1);
        self.parts.par_iter_mut().zip(samples.par_chunks(length)).for_each(|(part, samples)| {
            for &sample in samples {
                part.take(sample, timeline, others, span_us, middle_us);
            }
        });
    }

    /// Drops the pieces that no reading to come can have seen: those that end `reach_us` before the last one.
    fn forget(&mut self, reach_us: f64) {
        let before = self.end_us() - reach_us;
        self.timeline.forget(before);
        self.others.iter_mut().for_each(|other| other.forget(before));
    }

    fn finish(
        self,
        inferences: &dyn Inferences,
        subset: CalibrationSubset,
        found: Found,
        (idle, noise): (Option<f64>, f64),
    ) -> Gathered {
        let layers = self.counts.len() - 1;
        let columns = self.parts[0].nuisances.clone();
        let merged = self.parts.into_iter().reduce(|mut all, part| {
            all.merge(part);
            all
        });
        let (segments, phases, lagged, level_error) = merged.map_or_else(
            || (Vec::new(), Phases::new(0, 0), None, None),
            |part| (part.segments.into_iter().flatten().collect(), part.phases, part.lagged, part.level.error()),
        );
        Gathered {
            layers,
            counts: inferences.counts(),
            diagnostics: inferences.diagnostics(),
            times: self.timeline.times,
            found,
            columns,
            segments,
            phases,
            lagged,
            level_error,
            readings: self.counts,
            subset,
            idle,
            noise,
        }
    }
}

impl Part {
    fn take(&mut self, sample: Sample, timeline: &Timeline, others: &[Timeline], span_us: f64, middle_us: f64) {
        let whole = self.nuisances.weigh(timeline, others, sample);
        let value = self.weights.weigh(timeline.start_us, &timeline.pieces, sample);
        let last = self.last.replace(sample);
        let Some(watts) = value.filter(|_| whole) else {
            self.nuisances.forget();
            return;
        };
        if let (Some(lagged), Some(last)) = (&mut self.lagged, last) {
            lagged.add(last, sample);
        }
        let (row, touched) = self.weights.weights();
        let further = &self.nuisances.values;
        let segment = ((sample.at_us / span_us.max(1.0) * SEGMENTS as f64) as usize).min(SEGMENTS - 1);
        let block_us = self.block_us;
        let sums =
            self.segments[segment].get_or_insert_with(|| NormalEquations::new(row.len() + further.len(), block_us));
        sums.add_with(Sample { watts, ..sample }, row, touched, further);
        if self.known.is_empty() {
            return;
        }
        let shown: f64 = touched.iter().map(|&i| row[i as usize] * self.known[i as usize]).sum();
        self.level.add(sample.at_us, watts - shown);
        if let Some(phase) = timeline.phase(sample.at_us - middle_us) {
            self.phases.add(phase, watts, (row, touched), further, &self.known);
        }
    }

    fn merge(&mut self, other: Self) {
        self.phases.merge(&other.phases);
        self.level.merge(other.level);
        for (mine, theirs) in self.segments.iter_mut().zip(other.segments) {
            match (mine.as_mut(), theirs) {
                (Some(mine), Some(theirs)) => mine.merge(theirs),
                (None, Some(theirs)) => *mine = Some(theirs),
                (_, None) => {}
            }
        }
    }
}

/// Length of blocks whose means are taken out: so short that idle power hardly changes within one, with so many readings
/// that little is lost.
fn block_us(span_us: f64, spacing_us: f64) -> f64 {
    (BLOCK_READINGS * spacing_us).clamp(5e4, 1e6).min(span_us / SEGMENTS as f64)
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
