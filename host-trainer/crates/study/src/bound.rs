//! The least error that an unbiased estimator can have (Cramér and Rao), from what each reading of a simulated board saw.
//!
//! Nothing of the estimator's is in it but the factorisation of a matrix.

use crate::steps::Step;
use align::linalg::Symmetric;
use shared::sensor::SensorFamily;

/// Blocks of readings have levels of their own, as estimators take drift out, µs.
const BLOCK_US: f64 = 1e6;

/// Fisher's information about the components' powers in the readings.
pub(crate) struct Fisher {
    layers: usize,
    /// Each component's share of the time of inferences; the last is the time outside the layers.
    share: Vec<f64>,
    keep: f64,
    /// Moving-average coefficient of what the register shows, and the variance of a reading's noise.
    coefficient: f64,
    variance: f64,
    /// How each renewal moves with each parameter that has to be found.
    slopes: Vec<Vec<f64>>,
    /// Standard deviation of each layer's power from one inference to the next, W, and of an inference's stamps, µs.
    scatter: Vec<f64>,
    late_us: f64,
    /// Where inferences begin.
    starts: Vec<f64>,
    row: Vec<f64>,
    /// Rows of the inference at hand, scaled to noise of 1: components, parameters, 1 for the level.
    rows: Vec<Vec<f64>>,
    inference: usize,
    block: Symmetric,
    block_end: f64,
    gram: Symmetric,
}

impl Fisher {
    /// For a chip with a conversion's noise and a reading's step, W.
    pub(crate) fn new(family: SensorFamily, (noise_w, quantum_w): (f64, f64), steps: &[Step], layers: usize) -> Self {
        let (keep, conversions) = match family {
            SensorFamily::Recursive { samples, .. } => (1.0 - 1.0 / f64::from(samples), 1),
            SensorFamily::Block { samples, .. } => (0.0, samples),
            _ => (0.0, 1),
        };
        let (noise, quantum) = (noise_w.powi(2), quantum_w.powi(2) / 12.0);
        let (g0, g1) = ((1.0 - keep).powi(2) * noise + quantum * (1.0 + keep * keep), keep * quantum);
        // γ₀ = σ²(1 + θ²), γ₁ = −θσ².
        let coefficient = if g1 > 0.0 { (g0 - (g0 * g0 - 4.0 * g1 * g1).max(0.0).sqrt()) / (2.0 * g1) } else { 0.0 };
        let variance =
            if keep > 0.0 { g0 / (1.0 + coefficient * coefficient) } else { noise / f64::from(conversions) + quantum };
        let begins = std::iter::once(0.0).chain(steps.iter().map(|step| step.end_us));
        let starts = begins.zip(steps).filter(|(_, step)| step.component == 0).map(|(start, _)| start).collect();
        let mut time = vec![0.0; layers + 2];
        let mut before = 0.0;
        for step in steps {
            time[step.component] += step.end_us - before;
            before = step.end_us;
        }
        let total: f64 = time[..=layers].iter().sum();
        let empty = Symmetric::zeros(0);
        let fisher = Self {
            layers,
            share: time[..=layers].iter().map(|time| time / total).collect(),
            keep,
            coefficient,
            variance: variance.max(1e-12),
            slopes: Vec::new(),
            scatter: vec![0.0; layers],
            late_us: 0.0,
            starts,
            row: Vec::new(),
            rows: Vec::new(),
            inference: 0,
            block: empty.clone(),
            block_end: 0.0,
            gram: empty,
        };
        fisher.with_slopes(Vec::new())
    }

    /// With parameters to be found: how each renewal of the register moves with each of them, the delay first.
    pub(crate) fn with_slopes(mut self, slopes: Vec<Vec<f64>>) -> Self {
        // Components, what is no inference, parameters, and the level of a block.
        let size = self.layers + 2 + slopes.len() + 1;
        self.row = vec![0.0; size];
        (self.block, self.gram) = (Symmetric::zeros(size), Symmetric::zeros(size));
        self.slopes = slopes;
        self
    }

    /// With powers and stamps that scatter from one inference to the next.
    pub(crate) fn with_scatter(mut self, scatter: Vec<f64>, late_us: f64) -> Self {
        (self.scatter, self.late_us) = (scatter, late_us);
        self
    }

    /// Takes in a renewal of the register: the share of each component in it, and whether somebody read it.
    pub(crate) fn take(&mut self, converted: &[f64], read: bool, index: usize, now: f64) {
        let slopes = self.slopes.iter().map(|slope| slope[index]);
        for (row, new) in self.row.iter_mut().zip(converted.iter().copied().chain(slopes)) {
            *row = self.coefficient * *row + (1.0 - self.keep) * new;
        }
        let size = self.layers + 2;
        if !read || self.row[size - 1] > 1e-3 * self.row[..size].iter().sum::<f64>() {
            return;
        }
        let inference = self.starts.partition_point(|start| *start <= now);
        if inference != self.inference || now > self.block_end {
            self.end_inference();
            self.inference = inference;
        }
        if now > self.block_end {
            self.end_block();
            self.block_end = now + BLOCK_US;
        }
        let weight = self.variance.sqrt().recip();
        let mut row: Vec<f64> = self.row.iter().map(|value| value * weight).collect();
        row[size + self.slopes.len()] = weight;
        self.rows.push(row);
    }

    /// Readings of one inference share what scatters from one to the next: they are freed of their correlation first.
    fn end_inference(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return;
        }
        let delay = self.layers + 2;
        let mut effects: Vec<(usize, f64)> = self.scatter.iter().copied().enumerate().filter(|e| e.1 > 0.0).collect();
        if self.late_us > 0.0 && !self.slopes.is_empty() {
            effects.push((delay, self.late_us));
        }
        let mut covariance = Symmetric::zeros(rows.len());
        for (column, deviation) in effects {
            for (i, a) in rows.iter().enumerate() {
                for (j, b) in rows.iter().enumerate() {
                    covariance.elements[i * rows.len() + j] += deviation * deviation * a[column] * b[column];
                }
            }
        }
        let Some(factor) = covariance.cholesky(1.0, &vec![1.0; rows.len()]).map(align::linalg::Cholesky::factor) else {
            return;
        };
        let (size, count) = (self.block.size, rows.len());
        // L⁻¹ times the rows.
        let mut white: Vec<Vec<f64>> = Vec::with_capacity(count);
        for (mut row, factor) in rows.into_iter().zip(factor.chunks(count)) {
            for (before, by) in white.iter().zip(factor) {
                row.iter_mut().zip(before).for_each(|(r, b)| *r -= by * b);
            }
            row.iter_mut().for_each(|r| *r /= factor[white.len()]);
            white.push(row);
        }
        for row in &white {
            for (i, a) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                let sums = &mut self.block.elements[i * size..(i + 1) * size];
                sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += a * b);
            }
        }
    }

    /// A block's level is not known: it is taken out.
    fn end_block(&mut self) {
        let (size, level) = (self.block.size, self.block.size - 1);
        let corner = self.block.at(level, level);
        if corner > 0.0 {
            for i in 0..level {
                for j in 0..level {
                    let out = self.block.at(i, level) * self.block.at(level, j) / corner;
                    self.gram.elements[i * size + j] += self.block.at(i, j) - out;
                }
            }
        }
        self.block.elements.fill(0.0);
    }

    /// The least standard deviation of each layer's power, W, once the energies have to add up: the mean of all readings is known.
    pub(crate) fn bound(mut self) -> Vec<f64> {
        self.end_inference();
        self.end_block();
        let outside = self.layers + 1;
        // Neither what is no inference nor the level of a block is looked for.
        let looked_for: Vec<usize> = (0..self.gram.size - 1).filter(|i| *i != outside).collect();
        let n = looked_for.len();
        let mut information = Symmetric::zeros(n);
        for (i, &a) in looked_for.iter().enumerate() {
            for (j, &b) in looked_for.iter().enumerate() {
                information.elements[i * n + j] = self.gram.at(a, b);
            }
        }
        // Centring leaves one direction open, the level of all; a weak prior on it closes it. Parameters are known to some
        // milliseconds at most.
        let ridge: Vec<f64> = (0..n).map(|i| if i < outside { 1e-3 } else { 1e-6 }).collect();
        let Some(cholesky) = information.cholesky(1.0, &ridge) else { return vec![f64::INFINITY; self.layers] };
        let covariance = cholesky.inverse();
        let column = |i: usize| (0..outside).map(|j| covariance.at(i, j) * self.share[j]).sum::<f64>();
        let all = (0..outside).map(|i| self.share[i] * column(i)).sum::<f64>();
        (0..self.layers).map(|i| (covariance.at(i, i) - 2.0 * column(i) + all).max(0.0).sqrt()).collect()
    }
}
