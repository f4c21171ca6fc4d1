//! The random numbers of dropout, position by position.

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
    fn positions_are_kept_in_the_share_asked_for() {
        let bound = (0.3 * f64::from(u32::MAX)) as u32;
        let below = (0..100_000).filter(|&i| at(7, i) < bound).count();
        assert!((29_000..31_000).contains(&below), "{below}");
    }
}
