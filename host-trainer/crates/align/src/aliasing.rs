//! A reader that is slower than the register renews: each reading shows a conversion whose place within the chip's cycle
//! is unknown. The chip's clock is steady, so that two numbers, period and phase of the renewals, place all of them.
//!
//! They are found where the readings fit best, first over some tens of readings, then over ever more, with the powers of a
//! fit that averages over the place. Later on the phase is followed, since two clocks drift apart.

use super::calibration::CalibrationSubset;
use super::pieces::{Piece, Sample};
use super::refresh::Lattice;
use super::response::FittedResponse;
use super::weights::ReadingWeights;
use rayon::prelude::*;
use shared::sensor::SensorFamily;
use shared::units::Micros;

/// Places within a cycle that are told apart.
const PLACES: usize = 28;
/// Candidates that are kept from one length to the next, by the readings that each is compared with: many at first, while
/// few readings tell little.
const BEAM: (usize, usize, usize) = (1_500_000, 100, 4000);
/// Range of the chip's clock around its nominal period.
const OFF: f64 = 0.03;
/// Log likelihood over that of the mean over all places that makes a lattice believed.
const EVIDENCE: f64 = 40.0;
/// Time around a renewal in which readings do not count, µs.
const EDGE_US: f64 = 80.0;
/// Readings that the search begins with.
const FIRST: usize = 48;

/// The family whose conversions lie anywhere within a cycle: windows as long as the cycle.
pub(crate) fn averaged(family: SensorFamily, read: Micros) -> SensorFamily {
    match family {
        SensorFamily::Recursive { samples, cycle, .. } if samples > 1 => {
            SensorFamily::Recursive { samples, conversion: cycle, cycle }
        }
        SensorFamily::Recursive { cycle, .. } => SensorFamily::Window { refresh: read, window: cycle },
        SensorFamily::Window { refresh, window } => {
            SensorFamily::Window { refresh: read, window: Micros(refresh.0.max(window.0)) }
        }
        other => other,
    }
}

/// A family of single conversions with gaps between them: where their place can be found.
pub(crate) fn findable(family: SensorFamily) -> bool {
    let single = matches!(family, SensorFamily::Window { .. } | SensorFamily::Recursive { samples: 1, .. });
    single && family.duty() < 0.8
}

/// One conversion of a family as a window.
fn conversion(family: SensorFamily) -> SensorFamily {
    match family {
        SensorFamily::Recursive { conversion, cycle, .. } => {
            SensorFamily::Window { refresh: cycle, window: conversion }
        }
        other => other,
    }
}

/// What each reading shows if its conversion ended at each place of the cycle before it.
fn shown(
    samples: &[Sample],
    (start_us, pieces): (f64, &[Piece]),
    response: FittedResponse,
    watts: &[f64],
    places: &[f64],
) -> Vec<Vec<Option<f64>>> {
    places
        .iter()
        .map(|place| {
            let response = FittedResponse { delay_us: response.delay_us + place, ..response };
            let mut weights = ReadingWeights::of_powers(watts, response);
            samples.iter().map(|&s| weights.weigh(start_us, pieces, s).map(|_| weights.shows())).collect()
        })
        .collect()
}

/// Finds period and phase of the renewals. `fit` is a fit under [`averaged`], `watts` and `noise` its powers and the
/// scatter around it.
pub(crate) fn find(
    subset: &CalibrationSubset,
    family: SensorFamily,
    fit: FittedResponse,
    watts: &[f64],
    noise: f64,
) -> Option<Lattice> {
    let nominal = family.refresh().0;
    let longest = nominal * (1.0 + OFF);
    let response = FittedResponse { family: conversion(family), ..fit };
    let places: Vec<f64> = (0..PLACES).map(|m| longest * m as f64 / PLACES as f64).collect();
    let samples = &subset.samples;
    let table = shown(samples, (subset.start_us, &subset.pieces), response, watts, &places);
    let origin = samples.first()?.at_us;
    // Log likelihood of each reading at each place, less that of the mean over all places.
    let gain: Vec<[f64; PLACES]> = (0..samples.len())
        .map(|j| {
            let values: Vec<f64> = table.iter().filter_map(|row| row[j]).collect();
            if values.len() < PLACES {
                return [0.0; PLACES];
            }
            let mean = values.iter().sum::<f64>() / PLACES as f64;
            let square = |v: f64| -0.5 * ((samples[j].watts - v) / noise).powi(2);
            std::array::from_fn(|m| square(values[m]) - square(mean))
        })
        .collect();
    let total = |period: f64, phase: f64, count: usize| -> f64 {
        (0..count)
            .map(|j| {
                let place = (samples[j].at_us - origin - phase).rem_euclid(period);
                gain[j][((place / longest * PLACES as f64) as usize).min(PLACES - 1)]
            })
            .sum()
    };
    let span = |count: usize| samples[count - 1].at_us - origin;
    let mut count = FIRST.min(samples.len());
    let fine = |count: usize| nominal / PLACES as f64 / (span(count) / nominal).max(1.0);
    let mut step = fine(count);
    let mut beam: Vec<(f64, f64, f64)> = Vec::new();
    let periods = (OFF * nominal / step).ceil() as i32;
    for k in -periods..=periods {
        let period = nominal + f64::from(k) * step;
        beam.extend((0..PLACES).map(|m| {
            let phase = period * m as f64 / PLACES as f64;
            (total(period, phase, count), period, phase)
        }));
    }
    loop {
        beam.sort_by(|a, b| b.0.total_cmp(&a.0));
        beam.truncate((BEAM.0 / count).clamp(BEAM.1, BEAM.2));
        if count == samples.len() {
            break;
        }
        count = (count * 3 / 2).min(samples.len());
        let (before, next) = (step, fine(count));
        step = next;
        let turns = (before / next).ceil() as i32;
        beam = beam
            .par_iter()
            .flat_map_iter(|&(_, period, phase)| {
                (-turns..=turns).flat_map(move |k| {
                    [-0.5, 0.0, 0.5].map(|p| (period + f64::from(k) * next, phase + p * nominal / PLACES as f64))
                })
            })
            .map(|(period, phase)| (total(period, phase, count), period, phase))
            .collect();
    }
    let &(evidence, period_us, phase) = beam.first()?;
    (evidence > EVIDENCE).then_some(Lattice { period_us, phase_us: origin + phase })
}

/// Whether it is clear which renewal a reading shows. The places of renewals and the readings' delay make up for each other in
/// what readings show, so that a reading close to a renewal may show the one before.
pub(crate) fn is_clear(lattice: Lattice, at_us: f64) -> bool {
    let since = (at_us - lattice.phase_us).rem_euclid(lattice.period_us);
    (EDGE_US..lattice.period_us - EDGE_US).contains(&since)
}

/// Follows the phase of the renewals.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    lattice: Lattice,
    later: ReadingWeights,
    earlier: ReadingWeights,
    at: ReadingWeights,
    last_renewal: Option<i64>,
}

/// Shift by which the slope of a reading is found, µs.
const SHIFT_US: f64 = 6.0;
/// Readings that correct the phase together.
const TOGETHER: usize = 256;

impl Tracker {
    /// Starts at a lattice, with the response and powers that go with it.
    pub(crate) fn new(lattice: Lattice, response: FittedResponse, watts: &[f64]) -> Self {
        let with =
            |by: f64| ReadingWeights::of_powers(watts, FittedResponse { delay_us: response.delay_us + by, ..response });
        Self { lattice, later: with(-SHIFT_US), earlier: with(SHIFT_US), at: with(0.0), last_renewal: None }
    }

    /// Puts readings at the moments of their renewals. A renewal that was read twice counts once.
    pub(crate) fn place(&mut self, start_us: f64, pieces: &[Piece], samples: &mut Vec<Sample>) {
        let mut placed = Vec::with_capacity(samples.len());
        for part in samples.chunks(TOGETHER) {
            let from = placed.len();
            for sample in part {
                let renewal = self.lattice.renewal(sample.at_us);
                if is_clear(self.lattice, sample.at_us) && self.last_renewal.is_none_or(|last| renewal > last) {
                    self.last_renewal = Some(renewal);
                    placed.push(Sample { at_us: self.lattice.moment(renewal), ..*sample });
                }
            }
            self.correct(start_us, pieces, &placed[from..]);
        }
        *samples = placed;
    }

    /// One step of Gauss and Newton's method towards the phase at which these readings fit.
    fn correct(&mut self, start_us: f64, pieces: &[Piece], samples: &[Sample]) {
        let (mut product, mut square, mut weight) = (0.0, 0.0, 0.0);
        for &sample in samples {
            let shown = [&mut self.later, &mut self.earlier, &mut self.at].map(|weights| {
                let covered = weights.weigh(start_us, pieces, sample).is_some();
                covered.then(|| weights.shows())
            });
            if let [Some(later), Some(earlier), Some(now)] = shown {
                let slope = (later - earlier) / (2.0 * SHIFT_US);
                product += slope * (sample.watts - now);
                square += slope * slope;
                weight += 1.0;
            }
        }
        let Some(last) = samples.last() else { return };
        if weight < 16.0 || square <= 0.0 {
            return;
        }
        let off = (product / square).clamp(-15.0, 15.0);
        let renewals = (last.at_us - samples[0].at_us) / self.lattice.period_us;
        // The phase moves at this place, not at renewal 0: the period's change turns around it.
        let change = 0.05 * off / renewals.max(1.0);
        let turns = (last.at_us - self.lattice.phase_us) / self.lattice.period_us;
        self.lattice.period_us += change;
        self.lattice.phase_us += 0.4 * off - change * turns;
    }
}
