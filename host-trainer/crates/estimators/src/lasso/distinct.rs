//! Columns that are copies of each other, and columns that vanish.
//!
//! Square inputs, kernels and strides make most of the reference's 560 convolution terms copies of others. Copies share
//! their gradient and their row of the Gram matrix, so both are kept once a class of equal columns; only the coefficients are
//! each column's own, because coordinate descent visits the copies one after the other and shares the weight out between them.

use rayon::prelude::*;

use crate::design::Design;
use shared::random::{GOLDEN_STEP, mix};

/// How far a copy may stray from its original, relative to the column's range. Products of the same factors in another
/// order differ by their rounding, a few 1e-16.
const SAME: f64 = 1e-14;

/// A design without its copies.
#[derive(Debug)]
pub(super) struct Distinct {
    /// One column a class, the first of its copies.
    pub(super) design: Design,
    /// The columns of the whole design that do not vanish, ascending.
    pub(super) columns: Vec<usize>,
    /// The class of each of these.
    pub(super) classes: Vec<usize>,
}

/// What tells columns apart quickly.
struct Print {
    /// A fixed pseudo-random combination of the values.
    sum: f64,
    /// By how much two equal columns' sums may differ.
    tolerance: f64,
    range: f64,
    /// Whether all values are zero.
    zero: bool,
}

impl Distinct {
    /// Finds the classes. A constant column vanishes where columns will be centred, a zero column always.
    pub(super) fn new(design: &Design, centred: bool) -> Self {
        let factors: Vec<f64> = (0..design.rows() as u64).map(factor).collect();
        let prints: Vec<Print> =
            (0..design.columns()).into_par_iter().map(|j| print(design.column(j), &factors)).collect();
        let vanishes = |print: &Print| if centred { print.range == 0.0 } else { print.zero };
        let columns: Vec<usize> = (0..prints.len()).filter(|&j| !vanishes(&prints[j])).collect();
        let mut by_sum = columns.clone();
        by_sum.sort_by(|&a, &b| prints[a].sum.total_cmp(&prints[b].sum));
        let near =
            |&a: &usize, &b: &usize| prints[b].sum - prints[a].sum <= prints[a].tolerance.max(prints[b].tolerance);
        let mut first_copy: Vec<usize> = (0..prints.len()).collect();
        for cluster in by_sum.chunk_by(near).filter(|cluster| cluster.len() > 1) {
            let mut cluster = cluster.to_vec();
            cluster.sort_unstable();
            let mut originals: Vec<usize> = Vec::new();
            for j in cluster {
                let tolerance = SAME * prints[j].range;
                match originals.iter().find(|&&i| same(design.column(i), design.column(j), tolerance)) {
                    Some(&original) => first_copy[j] = original,
                    None => originals.push(j),
                }
            }
        }
        let originals: Vec<usize> = columns.iter().copied().filter(|&j| first_copy[j] == j).collect();
        let mut class_of_original = vec![0; prints.len()];
        originals.iter().enumerate().for_each(|(class, &j)| class_of_original[j] = class);
        Self {
            design: design.select_columns(&originals),
            classes: columns.iter().map(|&j| class_of_original[first_copy[j]]).collect(),
            columns,
        }
    }
}

fn same(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

fn print(column: &[f64], factors: &[f64]) -> Print {
    let (mut low, mut high, mut sum, mut size) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
    for (&x, factor) in column.iter().zip(factors) {
        low = if x < low { x } else { low };
        high = if x > high { x } else { high };
        sum += x * factor;
        size += x.abs();
    }
    let rows = column.len() as f64;
    let range = high - low;
    Print { sum, tolerance: 2.0 * rows * (SAME * range + f64::EPSILON * size), range, zero: size == 0.0 }
}

/// A number between 1 and 2 from a row's index.
fn factor(row: u64) -> f64 {
    f64::from_bits(mix(row.wrapping_add(1).wrapping_mul(GOLDEN_STEP)) >> 12 | 1.0f64.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_a_class_and_near_copies_do_not() {
        let base: Vec<f64> = (0..50).map(|i| f64::from(i * i % 17)).collect();
        let change = |f: fn(f64) -> f64| base.iter().map(|&x| f(x)).collect::<Vec<_>>();
        let mut one_off = base.clone();
        one_off[31] += 1e-9;
        let columns = [
            change(|_| 0.1),
            base.clone(),
            change(|x| x * (1.0 + f64::EPSILON)),
            change(|x| -x),
            one_off,
            change(|_| 0.0),
            base.clone(),
            change(|x| x + 1.0),
            change(|_| 0.1),
        ];
        let design = Design::from_columns(&columns).expect("equal columns");
        let centred = Distinct::new(&design, true);
        assert_eq!(centred.columns, [1, 2, 3, 4, 6, 7]);
        assert_eq!(centred.classes, [0, 0, 1, 2, 0, 3]);
        assert_eq!(centred.design, design.select_columns(&[1, 3, 4, 7]));
        let raw = Distinct::new(&design, false);
        assert_eq!(raw.columns, [0, 1, 2, 3, 4, 6, 7, 8]);
        assert_eq!(raw.classes, [0, 1, 1, 2, 3, 1, 4, 0]);
    }

    #[test]
    fn a_small_variation_on_a_large_offset_is_told_apart() {
        let columns = [[1e6, 1e6 + 1e-6, 1e6], [1e6, 1e6 + 2e-6, 1e6], [1e6, 1e6 + 1e-6, 1e6]];
        let design = Design::from_columns(&columns).expect("equal columns");
        assert_eq!(Distinct::new(&design, true).classes, [0, 1, 0]);
    }
}
