//! Random numbers as a function of what they are for: the same seed, trial and purpose give the same numbers on every
//! machine, in every order of asking.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(u64);

/// The finaliser of SplitMix64 (Steele et al., 2014, doi:10.1145/2660193.2660195), which is one to one.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Stream {
    /// The stream of a purpose, told by some numbers.
    #[must_use]
    pub fn of(purpose: &[u64]) -> Self {
        Self(purpose.iter().fold(0, |state, &word| mix(state.wrapping_add(STEP) ^ mix(word.wrapping_add(STEP)))))
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform among `0..count`; 0 where there is nothing to choose from.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.uniform() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Standard normal, by Box and Muller's transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_purpose_and_are_even() {
        assert_ne!(Stream::of(&[1, 2]).bits(), Stream::of(&[2, 1]).bits());
        assert_eq!(Stream::of(&[1, 2]).bits(), Stream::of(&[1, 2]).bits());
        let mut stream = Stream::of(&[7]);
        let draws: Vec<f64> = (0..10_000).map(|_| stream.uniform()).collect();
        assert!(draws.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((draws.iter().sum::<f64>() / 1e4 - 0.5).abs() < 0.02);
        let normals: Vec<f64> = (0..10_000).map(|_| stream.normal()).collect();
        assert!((normals.iter().map(|x| x * x).sum::<f64>() / 1e4 - 1.0).abs() < 0.1);
    }
}
