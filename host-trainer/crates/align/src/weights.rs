//! How much of each layer a sensor reading has seen.
//!
//! The load is taken as constant in each layer and outside the layers. A reading is then `Σ aᵢ·Pᵢ + noise`, where `aᵢ`
//! is the weight that the sensor's response gives to the time in which component `i` ran; the weights of a reading add
//! up to one.
//!
//! A register that keeps a part of its value is taken back to its conversions: of `y = φ·y′ + (1 − φ)·x`, both readings
//! are known, so `x = (y − φ·y′)/(1 − φ)` is a reading without memory. Rounding, which comes after the filter, makes
//! neighbouring `x` depend on each other; a running mean over them, `memory`, weighs that against the noise of the
//! conversions.

use super::cursor::{Cursor, Lens};
use super::pieces::{Piece, Sample};
use super::response::{FittedResponse, Kernel, LONGEST};

/// Part of a reading that may have seen time of which nothing is known.
const UNKNOWN: f64 = 2e-3;
/// What has faded to this is left out.
const FADED: f64 = 1e-7;

/// Works out the weights of readings, along a timeline of pieces in order of time. Readings have to come in order.
#[derive(Debug, Clone)]
pub struct ReadingWeights {
    response: FittedResponse,
    kernel: Kernel,
    lens: Lens,
    head: Cursor,
    tail: Cursor,
    row: Vec<f64>,
    touched: Vec<u32>,
    memory: f64,
    /// Running mean of weights and of values, where there is a memory.
    mean: Option<(Vec<f64>, f64)>,
    last: Option<Sample>,
    /// What a filter in the sensor showed at the last reading.
    shown: Vec<f64>,
}

impl ReadingWeights {
    /// Weights over `components` components under a response.
    #[must_use]
    pub fn new(components: usize, response: FittedResponse) -> Self {
        Self::through(Lens::Components(components), response)
    }

    /// What readings show of known powers under a response: one number in place of the weights.
    #[must_use]
    pub fn of_powers(watts: &[f64], response: FittedResponse) -> Self {
        Self::through(Lens::Powers(watts.to_vec()), response)
    }

    fn through(lens: Lens, response: FittedResponse) -> Self {
        let size = lens.size();
        Self {
            kernel: response.kernel(),
            response,
            head: Cursor::new(size),
            tail: Cursor::new(size),
            row: vec![0.0; size],
            touched: Vec::new(),
            memory: 0.0,
            mean: None,
            last: None,
            shown: vec![0.0; size],
            lens,
        }
    }

    /// The same with a running mean over readings taken back to their conversions: 0 is none.
    #[must_use]
    pub fn with_memory(mut self, memory: f64) -> Self {
        self.memory = memory;
        self
    }

    /// Calls `take` with each reading, its value in place of what the register showed, and its weights. Readings whose
    /// windows leave the timeline or meet excluded time are skipped. `start_us` is where the first piece begins.
    pub fn each(
        &mut self,
        start_us: f64,
        pieces: &[Piece],
        samples: &[Sample],
        mut take: impl FnMut(Sample, &[f64], &[u32]),
    ) {
        for &sample in samples {
            if let Some(watts) = self.weigh(start_us, pieces, sample) {
                let (row, touched) = self.weights();
                take(Sample { watts, ..sample }, row, touched);
            }
        }
    }

    /// Works out the weights of a reading and returns the value that belongs to them; `None` when it has to be skipped.
    pub fn weigh(&mut self, start_us: f64, pieces: &[Piece], sample: Sample) -> Option<f64> {
        let value = self.convert(start_us, pieces, sample);
        let known = match &self.lens {
            Lens::Components(count) => self.row[*count].abs() < UNKNOWN,
            Lens::Powers(_) => true,
        };
        let Some(mut value) = value.filter(|_| known) else {
            self.mean = None;
            return None;
        };
        if self.memory > 0.0 {
            let (row, mean) = self.mean.get_or_insert_with(|| (self.row.clone(), value));
            for (mean, new) in row.iter_mut().zip(&mut self.row) {
                *mean += (1.0 - self.memory) * (*new - *mean);
                *new = *mean;
            }
            *mean += (1.0 - self.memory) * (value - *mean);
            value = *mean;
        }
        self.touched.clear();
        let components = if let Lens::Components(count) = self.lens { count } else { 0 };
        self.touched.extend((0..components as u32).filter(|&i| self.row[i as usize].abs() > FADED));
        Some(value)
    }

    /// The weights last worked out, and the components for which they are not zero.
    #[must_use]
    pub fn weights(&self) -> (&[f64], &[u32]) {
        (&self.row[..self.row.len() - 1], &self.touched)
    }

    /// What the reading last worked out shows of the known powers.
    #[must_use]
    pub fn shows(&self) -> f64 {
        self.row[0]
    }

    /// Forgets the running mean: the reading last weighed was left out.
    pub(crate) fn forget(&mut self) {
        self.mean = None;
    }

    fn convert(&mut self, start_us: f64, pieces: &[Piece], sample: Sample) -> Option<f64> {
        let end = sample.at_us - self.response.delay_us;
        let last = self.last.replace(sample);
        let Kernel { conversion_us, spacing_us, conversions, keep, lag_us, since_last } = self.kernel;
        if lag_us > 0.0 {
            return self.filtered(start_us, pieces, sample, last, end);
        }
        self.row.fill(0.0);
        if since_last {
            let from = last?.at_us - self.response.delay_us;
            return self.window(start_us, pieces, from, end, 1.0).then_some(sample.watts);
        }
        if keep > 0.0 {
            let last = last?;
            let cycles = ((sample.at_us - last.at_us) / spacing_us).round();
            let kept = keep.powf(cycles);
            if !(1.0..=LONGEST).contains(&cycles) {
                return None;
            }
            for i in (0..cycles as i32).rev() {
                let to = end - f64::from(i) * spacing_us;
                let weight = keep.powi(i) * (1.0 - keep) / (1.0 - kept);
                if !self.window(start_us, pieces, to - conversion_us, to, weight) {
                    return None;
                }
            }
            return Some((sample.watts - kept * last.watts) / (1.0 - kept));
        }
        for i in (0..conversions).rev() {
            let to = end - f64::from(i) * spacing_us;
            if !self.window(start_us, pieces, to - conversion_us, to, 1.0 / f64::from(conversions)) {
                return None;
            }
        }
        Some(sample.watts)
    }

    /// Adds the mean of the smoothed load over a window; false where the timeline does not cover it.
    fn window(&mut self, start_us: f64, pieces: &[Piece], from: f64, to: f64, weight: f64) -> bool {
        // At an instant: over a time that makes no difference.
        let from = from.min(to - 1e-3);
        let tau = self.response.smoothing_us;
        let memory = 14.0 * tau;
        if from < start_us || pieces.last().is_none_or(|p| p.end_us < to) {
            return false;
        }
        if self.head.at_us > from || self.tail.at_us > from || self.head.at_us < from - memory - 1.0 {
            // Nothing between is needed, or windows overlap: begin again where what came before no longer shows.
            let at = (from - memory).max(start_us);
            if self.tail.at_us > from || self.tail.at_us < at {
                self.tail.reset(at, &self.lens);
            }
            if !self.tail.advance(&self.lens, start_us, pieces, from, tau) {
                return false;
            }
            self.head.clone_from(&self.tail);
        } else if !self.head.advance(&self.lens, start_us, pieces, from, tau) {
            return false;
        } else {
            self.tail.clone_from(&self.head);
        }
        if !self.head.advance(&self.lens, start_us, pieces, to, tau) {
            return false;
        }
        self.head.add_mean(&self.tail, tau, weight, &mut self.row);
        true
    }

    /// A filter remembers everything: what it showed at the last reading is taken off.
    fn filtered(
        &mut self,
        start_us: f64,
        pieces: &[Piece],
        sample: Sample,
        last: Option<Sample>,
        end: f64,
    ) -> Option<f64> {
        let lag = self.kernel.lag_us;
        if self.head.at_us == f64::NEG_INFINITY {
            self.head.reset(start_us.min(end), &self.lens);
        }
        if end < self.head.at_us || !self.head.advance(&self.lens, start_us, pieces, end, lag) {
            return None;
        }
        let kept = last.map(|last| (-(sample.at_us - last.at_us) / lag).exp());
        let kept = kept.filter(|kept| *kept < 0.999_999);
        for ((row, shown), level) in self.row.iter_mut().zip(&mut self.shown).zip(self.head.levels()) {
            *row = kept.map_or(level, |kept| (level - kept * *shown) / (1.0 - kept));
            *shown = level;
        }
        kept.zip(last).map(|(kept, last)| (sample.watts - kept * last.watts) / (1.0 - kept))
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::EXCLUDED;
    use super::*;
    use proptest::prelude::*;
    use shared::sensor::SensorFamily;
    use shared::units::Micros;

    fn pieces() -> Vec<Piece> {
        [(10.0, 2), (30.0, 0), (40.0, 1), (50.0, 2), (70.0, 0)]
            .into_iter()
            .map(|(end_us, component)| Piece { end_us, component })
            .collect()
    }

    fn window(us: f64) -> FittedResponse {
        FittedResponse::of(SensorFamily::Window { refresh: Micros(20.0), window: Micros(us) })
    }

    fn rows_on(pieces: &[Piece], response: FittedResponse, times: &[f64]) -> Vec<(f64, Vec<f64>)> {
        let samples: Vec<Sample> = times.iter().map(|&at_us| Sample { at_us, watts: at_us }).collect();
        let mut out = Vec::new();
        ReadingWeights::new(3, response).each(0.0, pieces, &samples, |s, row, _| out.push((s.watts, row.to_vec())));
        out
    }

    fn rows(response: FittedResponse, times: &[f64]) -> Vec<Vec<f64>> {
        rows_on(&pieces(), response, times).into_iter().map(|(_, row)| row).collect()
    }

    fn close(a: &[f64], b: &[f64]) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
    }

    #[test]
    fn a_window_sees_what_it_covers() {
        let seen = rows(window(20.0), &[5.0, 25.0, 45.0, 80.0]);
        assert_eq!(seen.len(), 2);
        close(&seen[0], &[0.75, 0.0, 0.25]);
        close(&seen[1], &[0.25, 0.5, 0.25]);
        let delayed = FittedResponse { delay_us: 20.0, ..window(20.0) };
        close(&rows(delayed, &[45.0])[0], &[0.75, 0.0, 0.25]);
        close(&rows(window(0.0), &[35.0])[0], &[0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_block_sees_a_comb_and_not_what_lies_between() {
        let family = SensorFamily::Block { samples: 2, conversion: Micros(5.0), spacing: Micros(20.0) };
        // 20 to 25 is component 0, 40 to 45 is component 2.
        close(&rows(FittedResponse::of(family), &[45.0])[0], &[0.5, 0.0, 0.5]);
    }

    #[test]
    fn a_recursive_register_is_taken_back_to_its_conversions() {
        let family = SensorFamily::Recursive { samples: 4, conversion: Micros(5.0), cycle: Micros(10.0) };
        let seen = rows_on(&pieces(), FittedResponse::of(family), &[30.0, 40.0, 60.0]);
        // From 30 to 40: one conversion, x = 4·40 − 3·30 = 70. From 40 to 60: two, 45 to 50 less than 55 to 60.
        assert_eq!(seen.len(), 2);
        assert!((seen[0].0 - 70.0).abs() < 1e-9);
        close(&seen[0].1, &[0.0, 1.0, 0.0]);
        let (older, newer) = (0.75 * 0.25 / 0.4375, 0.25 / 0.4375);
        assert!((seen[1].0 - (60.0 - 0.5625 * 40.0) / 0.4375).abs() < 1e-9);
        close(&seen[1].1, &[newer, 0.0, older]);
    }

    /// Against sums over small steps of the differential equation.
    #[test]
    fn smoothing_is_that_of_the_differential_equation() {
        let response = FittedResponse { smoothing_us: 2.0, ..window(20.0) };
        let seen = rows(response, &[65.0]);
        let (mut level, mut sums, step) = ([0.0; 3], [0.0; 3], 1e-4);
        let mut now = 0.0;
        while now < 65.0 {
            let component = pieces().iter().find(|p| p.end_us > now + step / 2.0).expect("within").component;
            for (i, level) in level.iter_mut().enumerate() {
                let load = f64::from(u8::from(component as usize == i));
                *level += (load - *level) * step / 2.0;
                if now >= 45.0 {
                    sums[i] += *level * step / 20.0;
                }
            }
            now += step;
        }
        assert!(seen[0].iter().zip(sums).all(|(a, b)| (a - b).abs() < 1e-4), "{seen:?} {sums:?}");
    }

    #[test]
    fn a_filter_is_taken_back_to_the_time_between_two_readings() {
        let family = SensorFamily::Filtered { refresh: Micros(10.0), lag: Micros(5.0) };
        let rows = rows(FittedResponse::of(family), &[10.0, 40.0]);
        assert_eq!(rows.len(), 1);
        let e = |t: f64| (-t / 5.0).exp();
        close(&rows[0], &[e(10.0) - e(30.0), 1.0 - e(10.0), 0.0].map(|w| w / (1.0 - e(30.0))));
    }

    #[test]
    fn excluded_time_is_left_out() {
        let mut timeline = pieces();
        timeline[2].component = EXCLUDED;
        assert_eq!(rows_on(&timeline, window(10.0), &[28.0, 35.0]).len(), 1);
    }

    #[test]
    fn known_powers_are_shown_as_their_weighted_mean() {
        let response = FittedResponse { smoothing_us: 3.0, ..window(20.0) };
        let watts = [2.0, 5.0, 11.0];
        for at_us in [55.0, 65.0] {
            let sample = Sample { at_us, watts: 0.0 };
            let mut weights = ReadingWeights::new(3, response);
            weights.weigh(0.0, &pieces(), sample).expect("covered");
            let expected: f64 = weights.weights().0.iter().zip(watts).map(|(a, p)| a * p).sum();
            let mut powers = ReadingWeights::of_powers(&watts, response);
            powers.weigh(0.0, &pieces(), sample).expect("covered");
            assert!((powers.shows() - expected).abs() < 1e-3);
        }
    }

    proptest! {
        #[test]
        fn weights_add_up_to_one(at in 0.0_f64..80.0, length in 0.0_f64..30.0) {
            for row in rows(window(length), &[at]) {
                prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
