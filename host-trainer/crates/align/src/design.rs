//! How much of each layer a sensor reading has seen.
//!
//! The load is taken as constant in each layer and outside the layers. A reading is then `Σ aᵢ·Pᵢ + noise`, where `aᵢ`
//! is the weight that the sensor's response gives to the time in which component `i` ran; the weights of a reading add
//! up to one. Sums of products of these rows are all that the fit needs, so memory does not grow with the run.

use super::linalg::Symmetric;

/// How the sensor answers, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Response {
    /// Length of the window that a reading is the mean of; 0 takes the power at one instant.
    pub window_us: f64,
    /// Time constant of a first-order lag before the window; 0 is none. With a lag the window is not resolved.
    pub lag_us: f64,
    /// How long before the moment of the reading the window ends.
    pub delay_us: f64,
    /// Time between one layer and the next where stamps do not tell it. It is the timeline's, found with the rest.
    pub gap_us: f64,
}

/// Component number of time that belongs to no inference: readings that saw it are left out.
pub const EXCLUDED: u32 = u32::MAX;

/// Constant load until an instant: contiguous pieces make up the run's timeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Its end; it begins where the piece before it ended. Microseconds of the run's clock.
    pub end_us: f64,
    /// The layer, the number of layers for time outside them, or [`EXCLUDED`].
    pub component: u32,
}

/// A renewed reading of the sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was renewed, microseconds of the run's clock.
    pub at_us: f64,
    /// Power in watts.
    pub watts: f64,
}

/// Sums over readings, centred block by block so that a slow drift of the whole board's power leaves the differences
/// between layers alone.
#[derive(Debug, Clone)]
pub struct Sums {
    /// Σ (a − ā)(a − ā)ᵀ.
    pub gram: Symmetric,
    /// Σ (a − ā)(y − ȳ).
    pub joint: Vec<f64>,
    /// Σ (y − ȳ)².
    pub squares: f64,
    /// Readings less blocks.
    pub freedom: f64,
    /// Readings.
    pub count: u64,
    /// Σ a over all readings.
    pub weights: Vec<f64>,
    /// Σ y over all readings.
    pub total: f64,
    /// Readings that saw a component at all.
    pub seen: Vec<u64>,
    /// Blocks, and the sums of their means and of the squares of these.
    blocks: (f64, f64, f64),
    block: Block,
}

#[derive(Debug, Clone)]
struct Block {
    count: f64,
    rows: Vec<f64>,
    total: f64,
    end_us: f64,
    length_us: f64,
}

impl Sums {
    /// No readings yet; `components` counts the layers and the time outside them. Blocks are `block_us` long.
    #[must_use]
    pub fn new(components: usize, block_us: f64) -> Self {
        Self {
            gram: Symmetric::zeros(components),
            joint: vec![0.0; components],
            squares: 0.0,
            freedom: 0.0,
            count: 0,
            weights: vec![0.0; components],
            total: 0.0,
            seen: vec![0; components],
            blocks: (0.0, 0.0, 0.0),
            block: Block {
                count: 0.0,
                rows: vec![0.0; components],
                total: 0.0,
                end_us: f64::NEG_INFINITY,
                length_us: block_us,
            },
        }
    }

    /// Adds a reading whose weights are `row` at `touched`, zero elsewhere.
    pub fn add(&mut self, sample: Sample, row: &[f64], touched: &[u32]) {
        self.add_with(sample, row, touched, &[]);
    }

    /// As [`add`](Self::add), with further columns behind the weights.
    pub fn add_with(&mut self, sample: Sample, row: &[f64], touched: &[u32], further: &[f64]) {
        if sample.at_us > self.block.end_us {
            self.close_block();
            self.block.end_us = sample.at_us + self.block.length_us;
        }
        let size = self.gram.size;
        for &i in touched {
            let weight = row[i as usize];
            let line = &mut self.gram.elements[i as usize * size..][..size];
            for &j in touched {
                line[j as usize] += weight * row[j as usize];
            }
            self.joint[i as usize] += weight * sample.watts;
            self.block.rows[i as usize] += weight;
            self.weights[i as usize] += weight;
            self.seen[i as usize] += u64::from(weight > 0.0);
        }
        let behind = size - further.len();
        for (k, &value) in further.iter().enumerate() {
            for &j in touched {
                let product = value * row[j as usize];
                self.gram.elements[(behind + k) * size + j as usize] += product;
                self.gram.elements[j as usize * size + behind + k] += product;
            }
            for (m, other) in further.iter().enumerate() {
                self.gram.elements[(behind + k) * size + behind + m] += value * other;
            }
            self.joint[behind + k] += value * sample.watts;
            self.block.rows[behind + k] += value;
        }
        self.squares += sample.watts * sample.watts;
        self.block.count += 1.0;
        self.block.total += sample.watts;
        self.total += sample.watts;
        self.count += 1;
    }

    /// Takes the block's mean out of what it added.
    fn close_block(&mut self) {
        let block = &mut self.block;
        if block.count > 0.0 {
            let size = self.gram.size;
            for i in 0..size {
                let mean = block.rows[i] / block.count;
                if mean == 0.0 {
                    continue;
                }
                let line = &mut self.gram.elements[i * size..][..size];
                for (element, other) in line.iter_mut().zip(&block.rows) {
                    *element -= mean * other;
                }
                self.joint[i] -= mean * block.total;
            }
            self.squares -= block.total * block.total / block.count;
            self.freedom += block.count - 1.0;
            let mean = block.total / block.count;
            self.blocks = (self.blocks.0 + 1.0, self.blocks.1 + mean, self.blocks.2 + mean * mean);
        }
        block.count = 0.0;
        block.total = 0.0;
        block.rows.fill(0.0);
    }

    /// Adds the sums of other readings.
    pub fn merge(&mut self, mut other: Self) {
        self.finish();
        other.finish();
        for (a, b) in self.gram.elements.iter_mut().zip(&other.gram.elements) {
            *a += b;
        }
        for (a, b) in self.joint.iter_mut().zip(&other.joint) {
            *a += b;
        }
        for (a, b) in self.weights.iter_mut().zip(&other.weights) {
            *a += b;
        }
        for (a, b) in self.seen.iter_mut().zip(&other.seen) {
            *a += b;
        }
        self.squares += other.squares;
        self.freedom += other.freedom;
        self.count += other.count;
        self.total += other.total;
        self.blocks = (self.blocks.0 + other.blocks.0, self.blocks.1 + other.blocks.1, self.blocks.2 + other.blocks.2);
    }

    /// Standard error of the mean reading, from the scatter of block means, so that slow drift counts. `None` with fewer
    /// than four blocks.
    #[must_use]
    pub fn mean_error(&self) -> Option<f64> {
        let (n, sum, squares) = self.blocks;
        (n >= 4.0).then(|| ((squares / n - (sum / n).powi(2)).max(0.0) / (n - 1.0)).sqrt())
    }

    /// Closes the last block: to be called before the sums are used.
    pub fn finish(&mut self) {
        self.close_block();
        self.block.end_us = f64::NEG_INFINITY;
    }
}

/// Turns readings into rows, along a timeline of pieces in order of time.
#[derive(Debug, Clone)]
pub struct Rows {
    response: Response,
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

impl Rows {
    /// Rows of `components` weights under a response.
    #[must_use]
    pub fn new(components: usize, response: Response) -> Self {
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

    /// What a reading with the weights last worked out shows of given powers.
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

    fn rows(response: Response, times: &[f64]) -> Vec<Vec<f64>> {
        let samples: Vec<Sample> = times.iter().map(|&at_us| Sample { at_us, watts: 0.0 }).collect();
        let mut out = Vec::new();
        Rows::new(3, response).each(0.0, &pieces(), &samples, |_, row, _| out.push(row.to_vec()));
        out
    }

    #[test]
    fn a_window_sees_what_it_covers() {
        let response = Response { window_us: 20.0, lag_us: 0.0, delay_us: 0.0, gap_us: 0.0 };
        assert_eq!(rows(response, &[5.0, 25.0, 45.0, 80.0]), [[0.75, 0.0, 0.25], [0.25, 0.5, 0.25]]);
        let delayed = Response { delay_us: 20.0, ..response };
        assert_eq!(rows(delayed, &[45.0]), [[0.75, 0.0, 0.25]]);
        let instant = Response { window_us: 0.0, ..response };
        assert_eq!(rows(instant, &[35.0]), [[0.0, 1.0, 0.0]]);
    }

    #[test]
    fn a_lag_sees_everything_less_and_less() {
        let response = Response { window_us: 0.0, lag_us: 5.0, delay_us: 0.0, gap_us: 0.0 };
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
        let response = Response { window_us: 10.0, lag_us: 0.0, delay_us: 0.0, gap_us: 0.0 };
        Rows::new(3, response).each(0.0, &timeline, &samples, |_, _, _| count += 1);
        assert_eq!(count, 1);
    }

    proptest! {
        #[test]
        fn weights_add_up_to_one(at in 0.0_f64..80.0, window in 0.0_f64..30.0) {
            for row in rows(Response { window_us: window, lag_us: 0.0, delay_us: 0.0, gap_us: 0.0 }, &[at]) {
                prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
