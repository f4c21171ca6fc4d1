//! Random numbers from a seed, the same on every machine.
//!
//! - [`SplitMix64`]: one word of state; for streams that are named by numbers ([`SplitMix64::keyed`]), for shuffles and sampling.
//! - [`Random`]: xoshiro256++, for long simulated runs.
//! - [`mix`]: the finaliser of SplitMix64 alone, a one-to-one hash of 64 bits.
//!
//! Studies continue from their seed and shipped models are reproducible, so no number that these functions return may change.

use std::f64::consts::TAU;

/// The step of SplitMix64's counter: 2⁶⁴ divided by the golden ratio, made odd.
pub const GOLDEN_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014, doi:10.1145/2660193.2660195). It is one to one.
///
/// ```
/// use shared::random::mix;
/// assert_eq!(mix(0), 0);
/// assert_ne!(mix(1), mix(2));
/// ```
#[must_use]
pub const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 53 bits as a number in [0, 1).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// SplitMix64 (Steele, Lea and Flood, 2014, doi:10.1145/2660193.2660195).
///
/// ```
/// use shared::random::SplitMix64;
/// let mut a = SplitMix64::keyed(&[42, 7]);
/// let mut b = SplitMix64::keyed(&[42, 7]);
/// assert_eq!(a.bits(), b.bits());
/// assert!((0.0..1.0).contains(&a.uniform()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream named by some numbers, such as a study's seed, a trial and a purpose. Their order counts.
    #[must_use]
    pub fn keyed(key: &[u64]) -> Self {
        let fold = |state: u64, &word: &u64| mix(state.wrapping_add(GOLDEN_STEP) ^ mix(word.wrapping_add(GOLDEN_STEP)));
        Self(key.iter().fold(0, fold))
    }

    /// The seed from which the stream goes on as this one does.
    ///
    /// ```
    /// use shared::random::SplitMix64;
    /// let mut stream = SplitMix64::new(3);
    /// stream.bits();
    /// assert_eq!(SplitMix64::new(stream.state()).bits(), stream.bits());
    /// ```
    #[must_use]
    pub const fn state(&self) -> u64 {
        self.0
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_STEP);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Uniform among `0..count`; 0 for an empty range.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.uniform() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Standard normal (Box and Muller); every number takes two draws.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            // The high half of a product: as even as 64 bits allow, and without a division.
            let j = (u128::from(self.bits()) * (i as u128 + 1)) >> 64;
            values.swap(i, j as usize);
        }
    }
}

/// xoshiro256++ (Blackman and Vigna, 2021, doi:10.1145/3460772), seeded by SplitMix64.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
    spare: Option<f64>,
}

impl Random {
    /// From a seed; any will do, zero included.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut seeds = SplitMix64::new(seed);
        Self { state: std::array::from_fn(|_| seeds.bits()), spare: None }
    }

    /// Another generator, independent of this one, for a purpose named by a number.
    #[must_use]
    pub fn fork(&mut self, purpose: u64) -> Self {
        Self::new(self.bits() ^ purpose.wrapping_mul(0xD129_0DDC_53B3_7D2B))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let mut next = [a, b, c ^ a, d ^ b];
        next[1] ^= next[2];
        next[0] ^= next[3];
        next[2] ^= b << 17;
        next[3] = next[3].rotate_left(45);
        self.state = next;
        result
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Standard normal (Box and Muller); two draws give two numbers.
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = TAU * self.uniform();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the authors' own programs: splitmix64.c with seed 1234567, and xoshiro256plusplus.c from that state.
    #[test]
    fn streams_are_those_of_the_published_programs() {
        let mut random = SplitMix64::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut random = Random { state: [1, 2, 3, 4], spare: None };
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..5).map(|_| random.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn keys_name_streams_and_their_order_counts() {
        assert_eq!(SplitMix64::keyed(&[1, 2]).bits(), SplitMix64::keyed(&[1, 2]).bits());
        assert_ne!(SplitMix64::keyed(&[1, 2]).bits(), SplitMix64::keyed(&[2, 1]).bits());
        assert_ne!(SplitMix64::keyed(&[1]).bits(), SplitMix64::keyed(&[1, 0]).bits());
    }

    fn moments(count: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..count {
            let x = draw();
            sum += x;
            squares += x * x;
        }
        (sum / f64::from(count), squares / f64::from(count))
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let (mut long, mut short) = (Random::new(1), SplitMix64::keyed(&[7]));
        for (mean, _) in [moments(100_000, || long.uniform()), moments(100_000, || short.uniform())] {
            assert!((mean - 0.5).abs() < 0.005, "{mean}");
        }
        for (mean, square) in [moments(100_000, || long.normal()), moments(100_000, || short.normal())] {
            assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.03, "{mean} {square}");
        }
        let mut counts = [0; 3];
        (0..3_000).for_each(|_| counts[short.below(3)] += 1);
        assert!(counts.iter().all(|count| *count > 900), "{counts:?}");
        assert_eq!(short.below(0), 0);
    }

    #[test]
    fn a_shuffle_keeps_every_value() {
        let mut values: Vec<usize> = (0..100).collect();
        SplitMix64::new(1).shuffle(&mut values);
        assert_ne!(values, (0..100).collect::<Vec<_>>());
        values.sort_unstable();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
    }
}
