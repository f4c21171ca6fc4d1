//! Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood, 2014,
//! doi:10.1145/2660193.2660195).

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed and a purpose, so that one purpose more leaves the others' numbers alone.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed ^ purpose.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            // The high half of a product: as even as 64 bits allow, and without a division.
            let j = (u128::from(self.next()) * (i as u128 + 1)) >> 64;
            values.swap(i, j as usize);
        }
    }
}

/// A random 32-bit number of a position under a key: what dropout draws, position by position, in vectors. The
/// finaliser is `lowbias32` (Wellons, nullprogram.com, 2018).
#[inline(always)]
pub(super) fn at(key: u32, position: u32) -> u32 {
    let x = position.wrapping_mul(0x9e37_79b9) ^ key;
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_every_value_and_streams_differ() {
        let mut values: Vec<usize> = (0..100).collect();
        Random::new(1, 0).shuffle(&mut values);
        let shuffled = values.clone();
        values.sort_unstable();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
        assert_ne!(values, shuffled);
        assert_ne!(Random::new(1, 0).next(), Random::new(1, 1).next());
    }

    #[test]
    fn positions_are_kept_in_the_share_asked_for() {
        let bound = (0.3 * f64::from(u32::MAX)) as u32;
        let below = (0..100_000).filter(|&i| at(7, i) < bound).count();
        assert!((29_000..31_000).contains(&below), "{below}");
    }
}
