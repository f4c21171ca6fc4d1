//! Sums of products over readings: all that the fit needs, so that memory does not grow with the run.

use super::linalg::Symmetric;
use super::pieces::Sample;

/// Sums of products over readings, centred block by block so that a slow drift of the whole board's power leaves the
/// differences between layers alone.
#[derive(Debug, Clone)]
pub struct NormalEquations {
    /// Σ (a − ā)(a − ā)ᵀ. The triangle above the diagonal is filled in by [`finish`](Self::finish).
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

impl NormalEquations {
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

    /// Adds a reading whose weights are `row` at `touched`, in order, and next to zero elsewhere.
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
        // Where most components are touched, whole lines are quicker than places one by one.
        let dense = 2 * touched.len() > row.len();
        for (at, &i) in touched.iter().enumerate() {
            let weight = row[i as usize];
            let line = &mut self.gram.elements[i as usize * size..][..=i as usize];
            if dense {
                line.iter_mut().zip(row).for_each(|(sum, other)| *sum += weight * other);
            } else {
                touched[..=at].iter().for_each(|&j| line[j as usize] += weight * row[j as usize]);
            }
            self.joint[i as usize] += weight * sample.watts;
            self.block.rows[i as usize] += weight;
            self.weights[i as usize] += weight;
            self.seen[i as usize] += u64::from(weight > 0.0);
        }
        let behind = size - further.len();
        for (k, &value) in further.iter().enumerate() {
            for &j in touched {
                self.gram.elements[(behind + k) * size + j as usize] += value * row[j as usize];
            }
            for (m, other) in further[..=k].iter().enumerate() {
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
                let line = &mut self.gram.elements[i * size..][..=i];
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

    /// The sums without the further columns.
    #[must_use]
    pub(crate) fn without_further(mut self, components: usize) -> Self {
        self.gram = self.gram.leading(components);
        self.joint.truncate(components);
        self
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
        let size = self.gram.size;
        for i in 0..size {
            for j in 0..i {
                self.gram.elements[j * size + i] = self.gram.elements[i * size + j];
            }
        }
    }
}
