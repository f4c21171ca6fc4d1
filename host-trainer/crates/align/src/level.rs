//! How well the level of all powers is known: the mean power over a run.
//!
//! Readings differ from block to block because the load does, and the mean over the run is right all the same. What counts
//! is what is left once the load is taken off, and of that what neighbouring blocks differ by: a slow drift belongs to the
//! mean.

/// Residuals of readings in blocks, and how far neighbouring blocks differ.
#[derive(Debug, Clone)]
pub(crate) struct LevelScatter {
    block_us: f64,
    end_us: f64,
    /// Sum and number of the residuals of the block at hand.
    block: (f64, f64),
    /// The same of the block before it.
    last: (f64, f64),
    readings: f64,
    /// Pairs of neighbouring blocks, and the sum of what they say of the variance of one reading.
    pairs: (f64, f64),
}

impl LevelScatter {
    /// Of blocks of a length in µs.
    pub(crate) fn new(block_us: f64) -> Self {
        let nothing = (0.0, 0.0);
        Self { block_us, end_us: f64::NEG_INFINITY, block: nothing, last: nothing, readings: 0.0, pairs: nothing }
    }

    /// Adds what a reading differs by from what it should show, in watts; moments in order.
    pub(crate) fn add(&mut self, at_us: f64, residual: f64) {
        if at_us > self.end_us {
            self.close();
            self.end_us = at_us + self.block_us;
        }
        self.block = (self.block.0 + residual, self.block.1 + 1.0);
        self.readings += 1.0;
    }

    fn close(&mut self) {
        let ((before, n), (sum, m)) = (self.last, self.block);
        if n > 0.0 && m > 0.0 {
            // Of two means of n and m readings the difference has a variance of (1/n + 1/m) times that of one.
            self.pairs.0 += 1.0;
            self.pairs.1 += (before / n - sum / m).powi(2) * n * m / (n + m);
        }
        if m > 0.0 {
            self.last = self.block;
        }
        self.block = (0.0, 0.0);
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        other.close();
        self.readings += other.readings;
        self.pairs = (self.pairs.0 + other.pairs.0, self.pairs.1 + other.pairs.1);
    }

    /// Standard error of the mean of all readings, in watts. `None` with fewer than eight pairs of blocks.
    pub(crate) fn error(&self) -> Option<f64> {
        (self.pairs.0 >= 8.0).then(|| (self.pairs.1 / self.pairs.0 / self.readings).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::Random;

    /// The error that is found, of readings every ms over 20 s with noise of 0.1 W, a drift, and a level of its own in each 100 ms,
    /// which make a block.
    fn found(drift: f64, level: f64) -> f64 {
        let mut random = Random::new(7);
        let mut scatter = LevelScatter::new(99.5e3);
        let mut own = 0.0;
        for k in 0..20_000_u32 {
            if k % 100 == 0 {
                own = level * random.normal();
            }
            scatter.add(f64::from(k) * 1e3, own + 0.1 * random.normal() + drift * f64::from(k) / 2e4);
        }
        scatter.error().expect("blocks")
    }

    #[test]
    fn noise_and_what_blocks_differ_by_count_and_drift_does_not() {
        let noise = 0.1 / 2e4_f64.sqrt();
        assert!((found(0.0, 0.0) / noise - 1.0).abs() < 0.25, "{}", found(0.0, 0.0));
        assert!((found(1.0, 0.0) / noise - 1.0).abs() < 0.3, "{}", found(1.0, 0.0));
        let blocks = 0.1 / 200_f64.sqrt();
        assert!((found(0.0, 0.1) / blocks - 1.0).abs() < 0.25, "{}", found(0.0, 0.1));
    }

    #[test]
    fn few_blocks_say_nothing() {
        let mut scatter = LevelScatter::new(1e3);
        (0..5).for_each(|k| scatter.add(f64::from(k) * 2e3, 0.1));
        assert_eq!(scatter.error(), None);
    }
}
