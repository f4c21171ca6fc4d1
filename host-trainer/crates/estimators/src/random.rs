//! Streams of random numbers that are the same on every machine.

use shared::random::SplitMix64;

/// The stream of a seed and a purpose: one purpose more leaves the numbers of the others alone.
///
/// ```
/// use estimators::random::stream;
///
/// assert_eq!(stream(1, 0).bits(), stream(1, 0).bits());
/// assert_ne!(stream(1, 0).bits(), stream(1, 1).bits());
/// ```
#[must_use]
pub fn stream(seed: u64, purpose: u64) -> SplitMix64 {
    let mut stream = SplitMix64::new(seed ^ purpose.wrapping_mul(0xd134_2543_de82_ef95));
    stream.bits();
    stream
}
