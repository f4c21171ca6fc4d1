//! First and second moments of rows: all that coordinate descent needs to know of them.
//!
//! Every fold trains on the other folds' rows, so the moments of each fold's held-out rows are computed once and merged.
//! Merging adds positive semi-definite matrices only (Chan, Golub and LeVeque's pairwise update) and subtracts nothing, so
//! a fold that holds out a column's one large value loses no digit of what is left, as taking rows off the whole
//! would.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, s};
use rayon::prelude::*;

use super::kernels::add_scaled;
use crate::design::Design;

/// Rows of a Gram matrix computed in one go: a panel of this many columns stays in the cache.
const BLOCK: usize = 64;

/// Weighted moments of a set of rows about their own mean, or about zero where nothing is centred.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    /// Number of rows.
    pub(super) rows: usize,
    /// Sum of the rows' weights.
    pub(super) weight: f64,
    /// What was subtracted from each column: its weighted mean, or zero.
    pub(super) mean: Vec<f64>,
    /// What was subtracted from the target.
    pub(super) target_mean: f64,
    /// Σ s·xᵢxⱼ of the centred columns, `columns × columns`, symmetric.
    pub(super) gram: Vec<f64>,
    /// Σ s·xᵢy of the centred columns and target.
    pub(super) correlation: Vec<f64>,
    /// Σ s·y² of the centred target.
    pub(super) target_squares: f64,
}

/// The rows a fit sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    pub(super) design: &'a Design,
    pub(super) target: &'a [f64],
    pub(super) weights: Option<&'a [f64]>,
    /// Whether columns and target are centred.
    pub(super) centred: bool,
}

impl Data<'_> {
    /// The weight of a row.
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// The moments of these rows.
    pub(super) fn moments(&self, rows: &[usize]) -> Moments {
        let (count, columns) = (rows.len(), self.design.columns());
        let weight: f64 = rows.iter().map(|&row| self.weight(row)).sum();
        let roots: Vec<f64> = rows.iter().map(|&row| self.weight(row).sqrt()).collect();
        let centre = |values: &[f64], out: &mut [f64]| {
            for (o, &row) in out.iter_mut().zip(rows) {
                *o = values[row];
            }
            let mean = if !self.centred || weight == 0.0 {
                0.0
            } else if self.weights.is_none() {
                out.iter().sum::<f64>() / weight
            } else {
                rows.iter().zip(&*out).map(|(&row, x)| self.weight(row) * x).sum::<f64>() / weight
            };
            out.iter_mut().zip(&roots).for_each(|(x, root)| *x = (*x - mean) * root);
            mean
        };
        let mut panel = vec![0.0; count * columns];
        let mut mean = vec![0.0; columns];
        if count > 0 {
            panel
                .par_chunks_exact_mut(count)
                .zip(&mut mean)
                .enumerate()
                .for_each(|(column, (out, mean))| *mean = centre(self.design.column(column), out));
        }
        let mut target = vec![0.0; count];
        let target_mean = centre(self.target, &mut target);
        let dot = |column: &[f64]| column.iter().zip(&target).map(|(x, y)| x * y).sum();
        let correlation =
            if count == 0 { vec![0.0; columns] } else { panel.par_chunks_exact(count).map(dot).collect() };
        Moments {
            rows: count,
            weight,
            mean,
            target_mean,
            gram: gram(&panel, count, columns),
            correlation,
            target_squares: dot(&target),
        }
    }
}

/// `panelᵀ · panel` for a column-major panel.
fn gram(panel: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut gram = vec![0.0; columns * columns];
    let Ok(panel) = ArrayView2::from_shape((rows, columns).f(), panel) else { unreachable!("the panel is full") };
    gram.par_chunks_mut(BLOCK * columns.max(1)).enumerate().for_each(|(block, out)| {
        let first = block * BLOCK;
        let last = (first + BLOCK).min(columns);
        let Ok(mut out) = ArrayViewMut2::from_shape((last - first, columns), out) else {
            unreachable!("a chunk is whole rows")
        };
        // Only from the diagonal on: the rest is its mirror image.
        let left = panel.slice(s![.., first..last]);
        general_mat_mul(1.0, &left.t(), &panel.slice(s![.., first..]), 0.0, &mut out.slice_mut(s![.., first..]));
    });
    for row in 1..columns {
        for column in 0..row {
            gram[row * columns + column] = gram[column * columns + row];
        }
    }
    gram
}

/// The moments of several disjoint sets of rows together.
pub(super) fn merge(parts: &[&Moments], centred: bool) -> Moments {
    let columns = parts.first().map_or(0, |part| part.mean.len());
    let weight: f64 = parts.iter().map(|part| part.weight).sum();
    let mut mean = vec![0.0; columns];
    let mut target_mean = 0.0;
    if centred && weight > 0.0 {
        for part in parts {
            add_scaled(&mut mean, part.weight / weight, &part.mean);
            target_mean += part.weight / weight * part.target_mean;
        }
    }
    let shifts: Vec<Vec<f64>> =
        parts.iter().map(|part| part.mean.iter().zip(&mean).map(|(own, all)| own - all).collect()).collect();
    let mut gram = vec![0.0; columns * columns];
    let mut correlation = vec![0.0; columns];
    let mut target_squares = 0.0;
    for (part, shift) in parts.iter().zip(&shifts) {
        let target_shift = part.target_mean - target_mean;
        target_squares += part.target_squares + part.weight * target_shift * target_shift;
        add_scaled(&mut correlation, 1.0, &part.correlation);
        add_scaled(&mut correlation, part.weight * target_shift, shift);
    }
    if columns > 0 {
        gram.par_chunks_exact_mut(columns).enumerate().with_min_len(BLOCK).for_each(|(row, out)| {
            for (part, shift) in parts.iter().zip(&shifts) {
                let factor = if centred { part.weight * shift[row] } else { 0.0 };
                let own = &part.gram[row * columns..(row + 1) * columns];
                for ((o, own), shift) in out.iter_mut().zip(own).zip(shift) {
                    *o += own + factor * shift;
                }
            }
        });
    }
    Moments {
        rows: parts.iter().map(|part| part.rows).sum(),
        weight,
        mean,
        target_mean,
        gram,
        correlation,
        target_squares,
    }
}

impl Moments {
    /// Scales the weights so that they sum to the number of rows; the penalty is then the same with and without weights.
    pub(super) fn normalised(mut self) -> Self {
        let factor = self.rows as f64 / self.weight;
        if factor != 1.0 {
            self.gram.iter_mut().chain(&mut self.correlation).for_each(|value| *value *= factor);
            self.target_squares *= factor;
            self.weight = self.rows as f64;
        }
        self
    }

    /// Whether no sum overflowed. A product of two columns is bounded by their squares, so the diagonal tells.
    pub(super) fn is_finite(&self) -> bool {
        let columns = self.mean.len();
        (0..columns).all(|j| self.gram[j * columns + j].is_finite() && self.correlation[j].is_finite())
            && self.target_squares.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
    }

    proptest! {
        #[test]
        fn merged_parts_are_the_whole(
            rows in proptest::collection::vec((proptest::array::uniform5(-10.0..10.0f64), -1.0..1.0f64, 0.1..3.0f64), 3..30),
            weighted: bool, centred: bool, cut in 1usize..100,
        ) {
            let design = Design::from_rows(&rows.iter().map(|row| row.0).collect::<Vec<_>>()).expect("equal rows");
            let target: Vec<f64> = rows.iter().map(|row| row.1).collect();
            let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
            let data = Data { design: &design, target: &target, weights: weighted.then_some(&weights), centred };
            let all: Vec<usize> = (0..rows.len()).collect();
            let (head, tail) = all.split_at(cut % (rows.len() - 1) + 1);
            let whole = data.moments(&all);
            let merged = merge(&[&data.moments(tail), &data.moments(head)], centred);
            prop_assert!(close(&whole.gram, &merged.gram, 1e-9));
            prop_assert!(close(&whole.correlation, &merged.correlation, 1e-9));
            prop_assert!(close(&whole.mean, &merged.mean, 1e-12));
            prop_assert!((whole.target_squares - merged.target_squares).abs() < 1e-9);
            prop_assert_eq!(merged.rows, rows.len());
        }
    }

    #[test]
    fn holding_out_the_one_large_value_loses_nothing() {
        // A column of 1 ± 1e-3 with a single 1e9: the other rows' variance is 1e-24 of the whole column's.
        let mut column: Vec<f64> = (0..40).map(|row| 1.0 + 1e-3 * f64::from(row % 5)).collect();
        column.push(1e9);
        let target = vec![0.0; column.len()];
        let design = Design::from_columns(&[column]).expect("one column");
        let data = Data { design: &design, target: &target, weights: None, centred: true };
        let parts: Vec<Moments> =
            [0..20, 20..40, 40..41].map(|rows| data.moments(&rows.collect::<Vec<_>>())).into_iter().collect();
        let merged = merge(&[&parts[0], &parts[1]], true);
        assert!((merged.gram[0] - 8.0 * 10.0 * 1e-6).abs() < 1e-16, "{}", merged.gram[0]);
    }
}
