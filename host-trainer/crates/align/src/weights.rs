//! How much of each layer a sensor reading has seen.
//!
//! The load is taken as constant in each layer and outside the layers. A reading is then `Σ aᵢ·Pᵢ + noise`, where `aᵢ`
//! is the weight that the sensor's response gives to the time in which component `i` ran; the weights of a reading add
//! up to one.

use super::pieces::{EXCLUDED, Piece, Sample};
use super::response::FittedResponse;

/// Works out the weights of readings, along a timeline of pieces in order of time.
#[derive(Debug, Clone)]
pub struct ReadingWeights {
    response: FittedResponse,
    row: Vec<f64>,
    touched: Vec<u32>,
    lagged: Lagged,
}

/// What a lag carries along: weights as `scale · weights`, so that fading costs one product a piece.
#[derive(Debug, Clone, Default)]
struct Lagged {
    at_us: f64,
    scale: f64,
    weights: Vec<f64>,
    excluded: f64,
}

impl ReadingWeights {
    /// Weights over `components` components under a response.
    #[must_use]
    pub fn new(components: usize, response: FittedResponse) -> Self {
        Self { response, row: vec![0.0; components], touched: Vec::new(), lagged: Lagged::default() }
    }

    /// Earliest time that a reading at `at_us` may have seen, as far as it is looked at.
    #[must_use]
    pub fn reach(&self, at_us: f64) -> f64 {
        at_us - self.response.delay_us - self.response.window_us
    }

    /// Calls `take` with each reading and its weights. `start_us` is where the first piece begins. Readings whose window
    /// leaves the timeline or meets excluded time are skipped.
    pub fn each(
        &mut self,
        start_us: f64,
        pieces: &[Piece],
        samples: &[Sample],
        mut take: impl FnMut(Sample, &[f64], &[u32]),
    ) {
        for &sample in samples {
            if self.weigh(start_us, pieces, sample.at_us) {
                take(sample, &self.row, &self.touched);
            }
        }
    }

    /// Works out the weights of a reading; false when it has to be skipped. With a lag, readings have to come in order.
    pub fn weigh(&mut self, start_us: f64, pieces: &[Piece], at_us: f64) -> bool {
        let end = at_us - self.response.delay_us;
        if self.response.lag_us > 0.0 { self.lag(start_us, pieces, end) } else { self.window(start_us, pieces, end) }
    }

    /// The weights last worked out, and the components for which they are not zero.
    #[must_use]
    pub fn weights(&self) -> (&[f64], &[u32]) {
        (&self.row, &self.touched)
    }

    /// What a reading with the weights last worked out shows of given powers, in watts.
    #[must_use]
    pub fn shows(&self, watts: &[f64]) -> f64 {
        self.touched.iter().map(|&i| self.row[i as usize] * watts[i as usize]).sum()
    }

    fn window(&mut self, start_us: f64, pieces: &[Piece], end: f64) -> bool {
        for &i in &self.touched {
            self.row[i as usize] = 0.0;
        }
        self.touched.clear();
        let start = end - self.response.window_us;
        if start < start_us || pieces.last().is_none_or(|p| p.end_us < end) {
            return false;
        }
        let mut at = pieces.partition_point(|p| p.end_us <= start).min(pieces.len() - 1);
        let mut from = start;
        loop {
            let piece = pieces[at];
            if piece.component == EXCLUDED {
                return false;
            }
            let share = if self.response.window_us > 0.0 {
                (piece.end_us.min(end) - from) / self.response.window_us
            } else {
                1.0
            };
            if share > 0.0 {
                let weight = &mut self.row[piece.component as usize];
                if *weight == 0.0 {
                    self.touched.push(piece.component);
                }
                *weight += share;
            }
            if piece.end_us >= end || at + 1 == pieces.len() || self.response.window_us <= 0.0 {
                return true;
            }
            from = from.max(piece.end_us);
            at += 1;
        }
    }

    /// The lag remembers everything: its weights are carried along. What it saw before the timeline began, or in
    /// excluded time, has to fade first.
    fn lag(&mut self, start_us: f64, pieces: &[Piece], end: f64) -> bool {
        const FADED: f64 = 0.01;
        if self.lagged.weights.is_empty() {
            self.lagged = Lagged { at_us: start_us, scale: 1.0, weights: vec![0.0; self.row.len()], excluded: 1.0 };
            self.touched = (0..self.row.len() as u32).collect();
        }
        let state = &mut self.lagged;
        if state.at_us < start_us {
            // Nobody knows any more what happened between.
            let keep = (-(start_us - state.at_us) / self.response.lag_us).exp();
            state.scale *= keep;
            state.excluded = state.excluded * keep + 1.0 - keep;
            state.at_us = start_us;
        }
        let mut at = pieces.partition_point(|p| p.end_us <= state.at_us);
        while state.at_us < end {
            let Some(piece) = pieces.get(at) else { return false };
            let until = piece.end_us.min(end);
            let keep = (-(until - state.at_us) / self.response.lag_us).exp();
            state.excluded *= keep;
            state.scale *= keep;
            if state.scale < 1e-100 {
                for weight in &mut state.weights {
                    *weight *= state.scale;
                }
                state.scale = 1.0;
            }
            if piece.component == EXCLUDED {
                state.excluded += 1.0 - keep;
            } else {
                state.weights[piece.component as usize] += (1.0 - keep) / state.scale;
            }
            state.at_us = until;
            at += usize::from(piece.end_us <= until);
        }
        if state.excluded >= FADED {
            return false;
        }
        // The little that has not faded is shared out, so that the weights add up to one.
        let factor = state.scale / (1.0 - state.excluded);
        for (row, weight) in self.row.iter_mut().zip(&state.weights) {
            *row = weight * factor;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces() -> Vec<Piece> {
        [(10.0, 2), (30.0, 0), (40.0, 1), (50.0, 2), (70.0, 0)]
            .into_iter()
            .map(|(end_us, component)| Piece { end_us, component })
            .collect()
    }

    fn rows(response: FittedResponse, times: &[f64]) -> Vec<Vec<f64>> {
        let samples: Vec<Sample> = times.iter().map(|&at_us| Sample { at_us, watts: 0.0 }).collect();
        let mut out = Vec::new();
        ReadingWeights::new(3, response).each(0.0, &pieces(), &samples, |_, row, _| out.push(row.to_vec()));
        out
    }

    #[test]
    fn a_window_sees_what_it_covers() {
        let response = FittedResponse { window_us: 20.0, lag_us: 0.0, delay_us: 0.0, gap_us: 0.0 };
        assert_eq!(rows(response, &[5.0, 25.0, 45.0, 80.0]), [[0.75, 0.0, 0.25], [0.25, 0.5, 0.25]]);
        let delayed = FittedResponse { delay_us: 20.0, ..response };
        assert_eq!(rows(delayed, &[45.0]), [[0.75, 0.0, 0.25]]);
        let instant = FittedResponse { window_us: 0.0, ..response };
        assert_eq!(rows(instant, &[35.0]), [[0.0, 1.0, 0.0]]);
    }

    #[test]
    fn a_lag_sees_everything_less_and_less() {
        let response = FittedResponse { window_us: 0.0, lag_us: 5.0, delay_us: 0.0, gap_us: 0.0 };
        let rows = rows(response, &[10.0, 40.0]);
        // After the first ten microseconds, what came before had not faded: that reading is left out.
        assert_eq!(rows.len(), 1);
        let e = |t: f64| (-t / 5.0).exp();
        let expected = [e(10.0) - e(30.0), 1.0 - e(10.0), e(30.0) - e(40.0)].map(|w| w / (1.0 - e(40.0)));
        for (a, b) in rows[0].iter().zip(expected) {
            assert!((a - b).abs() < 1e-12);
        }
    }

    #[test]
    fn excluded_time_is_left_out() {
        let mut timeline = pieces();
        timeline[2].component = EXCLUDED;
        let mut count = 0;
        let samples = [Sample { at_us: 28.0, watts: 1.0 }, Sample { at_us: 35.0, watts: 1.0 }];
        let response = FittedResponse { window_us: 10.0, lag_us: 0.0, delay_us: 0.0, gap_us: 0.0 };
        ReadingWeights::new(3, response).each(0.0, &timeline, &samples, |_, _, _| count += 1);
        assert_eq!(count, 1);
    }

    proptest! {
        #[test]
        fn weights_add_up_to_one(at in 0.0_f64..80.0, window in 0.0_f64..30.0) {
            for row in rows(FittedResponse { window_us: window, lag_us: 0.0, delay_us: 0.0, gap_us: 0.0 }, &[at]) {
                prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
