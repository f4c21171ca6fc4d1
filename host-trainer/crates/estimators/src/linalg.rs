//! The linear algebra that estimators share.

/// The scalar product of two slices, in `LANES` sums side by side, which are added up in order, and then the rest. The result
/// depends on the number of lanes, but not on how wide the machine's vectors are.
#[inline(always)]
pub(crate) fn dot<const LANES: usize>(a: &[f64], b: &[f64]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    let mut lanes = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}
