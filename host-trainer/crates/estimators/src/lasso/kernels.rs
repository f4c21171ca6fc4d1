//! The vector loops everything rests on. Sums run in a fixed number of lanes, so that the result does not depend on how
//! wide the machine's vectors are.

use crate::linalg;

/// Lanes of a sum.
pub(super) const LANES: usize = 8;

/// Folds a slice lane by lane, then the lanes and the rest.
#[inline(always)]
fn fold_lanes(values: &[f64], start: f64, step: impl Fn(f64, f64) -> f64, join: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(start, |sum, &x| step(sum, x));
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = step(lanes[lane], chunk[lane]);
        }
    }
    lanes.iter().fold(rest, |sum, &lane| join(sum, lane))
}

/// The scalar product of two slices of equal length.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    linalg::dot::<LANES>(a, b)
}

/// Sum of the absolute values.
#[inline(always)]
pub(super) fn sum_of_sizes(values: &[f64]) -> f64 {
    fold_lanes(values, 0.0, |sum, x| sum + x.abs(), |a, b| a + b)
}

/// Largest absolute value; 0 of nothing.
#[inline(always)]
pub(super) fn largest_size(values: &[f64]) -> f64 {
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    fold_lanes(values, 0.0, |max, x| larger(max, x.abs()), larger)
}

/// Largest value; negative infinity of nothing.
#[inline(always)]
pub(super) fn largest(values: &[f64]) -> f64 {
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    fold_lanes(values, f64::NEG_INFINITY, larger, larger)
}

/// `target += factor * source`, for slices of equal length.
#[inline(always)]
pub(super) fn add_scaled(target: &mut [f64], factor: f64, source: &[f64]) {
    debug_assert_eq!(target.len(), source.len());
    for (t, s) in target.iter_mut().zip(source) {
        *t += factor * s;
    }
}

/// As [`add_scaled`], for slices of whole vectors: what does not fill the last one is left out.
#[inline(always)]
pub(super) fn add_scaled_whole(target: &mut [f64], factor: f64, source: &[f64]) {
    debug_assert!(target.len() == source.len() && target.len().is_multiple_of(LANES));
    let (target, source) = (target.as_chunks_mut::<LANES>().0, source.as_chunks::<LANES>().0);
    for (target, source) in target.iter_mut().zip(source) {
        *target = std::array::from_fn(|lane| target[lane] + factor * source[lane]);
    }
}

/// The sum of `added · (start - now)`, and that of its parts' absolute values, for slices of whole vectors.
#[inline(always)]
pub(super) fn moved_sums(added: &[f64], start: &[f64], now: &[f64]) -> (f64, f64) {
    debug_assert!(added.len() == start.len() && added.len() == now.len() && added.len().is_multiple_of(LANES));
    let (mut sums, mut sizes) = ([0.0; LANES], [0.0; LANES]);
    let (added, start, now) = (added.as_chunks::<LANES>().0, start.as_chunks::<LANES>().0, now.as_chunks::<LANES>().0);
    for ((added, start), now) in added.iter().zip(start).zip(now) {
        let products: [f64; LANES] = std::array::from_fn(|lane| added[lane] * (start[lane] - now[lane]));
        for lane in 0..LANES {
            sums[lane] += products[lane];
        }
        for lane in 0..LANES {
            sizes[lane] += products[lane].abs();
        }
    }
    (sums.iter().sum(), sizes.iter().sum())
}

/// Work that gains from wide vectors. `run` must be `#[inline(always)]`, as must what it calls: only what is inlined is
/// compiled for them.
pub(super) trait Work {
    /// What it leaves.
    type Output;
    /// Does it.
    fn run(self) -> Self::Output;
}

/// Does work with this machine's wide vectors where it has them. No operation is fused or reordered, so the numbers are
/// the same without.
pub(super) fn wide<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn with_avx2<W: Work>(work: W) -> W::Output {
            work.run()
        }
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the one feature the function is compiled for.
            return unsafe { with_avx2(work) };
        }
    }
    work.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_vectors_give_the_same_bits() {
        let a: Vec<f64> = (0..37).map(|i| (f64::from(i) * 0.37).sin()).collect();
        let b: Vec<f64> = (0..37).map(|i| (f64::from(i) * 1.91).cos()).collect();
        struct Both(Vec<f64>, Vec<f64>);
        impl Work for Both {
            type Output = (f64, Vec<f64>);
            #[inline(always)]
            fn run(mut self) -> Self::Output {
                let product = dot(&self.0, &self.1);
                add_scaled(&mut self.0, product, &self.1);
                (largest_size(&self.0) + sum_of_sizes(&self.0) + largest(&self.0), self.0)
            }
        }
        assert_eq!(wide(Both(a.clone(), b.clone())), Both(a, b).run());
    }

    #[test]
    fn whole_vectors_give_what_numbers_one_by_one_give() {
        for length in [0, LANES, 5 * LANES] {
            let values = |factor: f64| (0..length).map(|i| (i as f64 * factor).sin()).collect::<Vec<f64>>();
            let (added, start, now) = (values(0.37), values(1.91), values(2.71));
            let (mut whole, mut single) = (start.clone(), start.clone());
            add_scaled_whole(&mut whole, -0.3, &now);
            add_scaled(&mut single, -0.3, &now);
            assert_eq!(whole, single);
            let products: Vec<f64> = (0..length).map(|i| added[i] * (start[i] - now[i])).collect();
            let (sum, size) = moved_sums(&added, &start, &now);
            assert!((sum - products.iter().sum::<f64>()).abs() <= 1e-14 * size, "{sum}");
            assert!((size - sum_of_sizes(&products)).abs() <= 1e-14 * size, "{size}");
        }
    }

    #[test]
    fn reductions_see_every_element() {
        for length in [0, 1, 7, 8, 9, 31] {
            for place in 0..length {
                let mut values = vec![-1.0; length];
                values[place] = -3.0;
                assert_eq!(largest_size(&values), 3.0);
                assert_eq!(sum_of_sizes(&values), length as f64 + 2.0);
                values[place] = 2.0;
                assert_eq!(largest(&values), 2.0);
            }
        }
        assert_eq!(largest(&[]), f64::NEG_INFINITY);
    }
}
