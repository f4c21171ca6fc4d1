//! Non-negative least squares, exact (Lawson and Hanson, *Solving Least Squares Problems*, 1974, chapter 23), and the same
//! with outliers weighed down.

use crate::linalg::dot;
use linfa_linalg::cholesky::CholeskyInplace;
use ndarray::Array2;

/// Reweightings of the robust fit; the weights settle after a few.
const REWEIGHTINGS: usize = 8;
/// Huber's constant: 95 % efficiency where errors are normal.
const HUBER: f64 = 1.345;
/// Standard deviation over median absolute value, of the normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;
/// A pivot smaller than this, of columns of unit length, says that a column is a combination of the others.
const SINGULAR: f64 = 1e-11;
/// Sums that a scalar product keeps side by side.
const LANES: usize = 16;

/// min ‖A·x − y‖² over x ≥ 0; `columns` are those of A. Columns of zeros get a coefficient of zero.
///
/// ```
/// use estimators::nnls;
///
/// // Without the bound, the second coefficient would be −1.
/// let x = nnls::solve(&[vec![1.0, 1.0, 1.0], vec![0.0, 1.0, 2.0]], &[3.0, 2.0, 1.0]);
/// assert!((x[0] - 2.0).abs() < 1e-9);
/// assert_eq!(x[1], 0.0);
/// ```
#[must_use]
pub fn solve(columns: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    weighted(columns, y, &vec![1.0; y.len()])
}

/// Fits `Σ xⱼ·columnsⱼ ≈ y` on relative error, y > 0, rows that fit badly weighed down by Huber's rule.
#[must_use]
pub fn relative_robust(columns: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let relative: Vec<Vec<f64>> =
        columns.iter().map(|column| column.iter().zip(y).map(|(a, y)| a / y).collect()).collect();
    let ones = vec![1.0; y.len()];
    let mut x = weighted(&relative, &ones, &ones);
    for _ in 0..REWEIGHTINGS {
        let mut fitted = vec![0.0; y.len()];
        for (column, x) in relative.iter().zip(&x).filter(|(_, x)| **x > 0.0) {
            fitted.iter_mut().zip(column).for_each(|(sum, a)| *sum += x * a);
        }
        let errors: Vec<f64> = fitted.iter().map(|f| (f - 1.0).abs()).collect();
        let mut sorted = errors.clone();
        sorted.sort_by(f64::total_cmp);
        let bound = HUBER * MAD_TO_SIGMA * sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        if bound <= f64::EPSILON {
            break;
        }
        let weights: Vec<f64> = errors.iter().map(|e| if *e <= bound { 1.0 } else { bound / e }).collect();
        let next = weighted(&relative, &ones, &weights);
        let settled = next.iter().zip(&x).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs());
        x = next;
        if settled {
            break;
        }
    }
    x
}

fn weighted(columns: &[Vec<f64>], y: &[f64], weights: &[f64]) -> Vec<f64> {
    let times_weights = |column: &Vec<f64>| column.iter().zip(weights).map(|(a, w)| a * w).collect();
    let heavy: Vec<Vec<f64>> = columns.iter().map(times_weights).collect();
    let lengths: Vec<f64> =
        heavy.iter().zip(columns).map(|(heavy, column)| dot::<LANES>(heavy, column).sqrt()).collect();
    let used: Vec<usize> = (0..columns.len()).filter(|&j| lengths[j] > 0.0 && lengths[j].is_finite()).collect();
    let n = used.len();
    let mut gram = vec![vec![0.0; n]; n];
    let mut target = vec![0.0; n];
    for i in 0..n {
        for j in 0..=i {
            gram[i][j] = dot::<LANES>(&heavy[used[i]], &columns[used[j]]) / (lengths[used[i]] * lengths[used[j]]);
            gram[j][i] = gram[i][j];
        }
        target[i] = dot::<LANES>(&heavy[used[i]], y) / lengths[used[i]];
    }
    let scaled = active_set(&gram, &target);
    let mut x = vec![0.0; columns.len()];
    for (i, &j) in used.iter().enumerate() {
        x[j] = scaled[i] / lengths[j];
    }
    x
}

/// Lawson and Hanson's algorithm on the normal equations of columns of unit length.
fn active_set(gram: &[Vec<f64>], target: &[f64]) -> Vec<f64> {
    let n = target.len();
    let mut x = vec![0.0; n];
    let mut passive: Vec<usize> = Vec::new();
    let mut barred = vec![false; n];
    let tolerance = 1e-10 * target.iter().fold(0.0_f64, |m, t| m.max(t.abs()));
    // Each step lowers the error, so that no set of passive columns comes twice; the bound guards against rounding.
    for _ in 0..10 * n.max(1) {
        let gradient = |j: usize| target[j] - (0..n).map(|k| gram[j][k] * x[k]).sum::<f64>();
        let free = (0..n).filter(|j| !passive.contains(j) && !barred[*j]);
        let Some(entering) = free.max_by(|&a, &b| gradient(a).total_cmp(&gradient(b))) else { break };
        if gradient(entering) <= tolerance {
            break;
        }
        passive.push(entering);
        loop {
            let Some(solution) = solve_chosen(gram, target, &passive) else {
                // The newest column is a combination of those at hand.
                passive.pop();
                barred[entering] = true;
                break;
            };
            if solution.iter().all(|value| *value > 0.0) {
                for (&j, value) in passive.iter().zip(&solution) {
                    x[j] = *value;
                }
                barred.fill(false);
                break;
            }
            // Go towards the solution until the first coefficient reaches zero, and let go of it.
            let step = passive.iter().zip(&solution).filter(|(_, value)| **value <= 0.0);
            let step = step.map(|(&j, value)| x[j] / (x[j] - value)).fold(1.0, f64::min);
            for (&j, value) in passive.iter().zip(&solution) {
                x[j] += step * (value - x[j]);
            }
            let before = passive.len();
            passive.retain(|&j| {
                let stays = x[j] > 1e-14;
                if !stays {
                    x[j] = 0.0;
                }
                stays
            });
            if passive.len() == before || !passive.contains(&entering) {
                barred[entering] = true;
            }
            if passive.len() == before {
                passive.retain(|&j| j != entering);
                x[entering] = 0.0;
            }
            if passive.is_empty() {
                break;
            }
        }
    }
    x
}

/// Solves the equations of some of the columns; none where they depend on each other.
fn solve_chosen(gram: &[Vec<f64>], target: &[f64], chosen: &[usize]) -> Option<Vec<f64>> {
    let n = chosen.len();
    let matrix = Array2::from_shape_fn((n, n), |(i, j)| gram[chosen[i]][chosen[j]]);
    let lower = matrix.cholesky_into_dirty().ok()?;
    if lower.diag().iter().any(|pivot| pivot * pivot < SINGULAR) {
        return None;
    }
    let mut x = vec![0.0; n];
    for i in 0..n {
        x[i] = (target[chosen[i]] - (0..i).map(|k| lower[(i, k)] * x[k]).sum::<f64>()) / lower[(i, i)];
    }
    for i in (0..n).rev() {
        x[i] = (x[i] - (i + 1..n).map(|k| lower[(k, i)] * x[k]).sum::<f64>()) / lower[(i, i)];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_negative_coefficient_becomes_zero_and_the_others_follow() {
        let x = solve(&[vec![1.0, 1.0], vec![1.0, 2.0]], &[3.0, 1.0]);
        assert!((x[0] - 2.0).abs() < 1e-12 && x[1] == 0.0, "{x:?}");
    }

    #[test]
    fn dependent_columns_and_columns_of_zeros_do_no_harm() {
        let a = vec![1.0, 2.0, 3.0];
        let x = solve(&[a.clone(), a.clone(), vec![0.0; 3]], &[2.0, 4.0, 6.0]);
        assert!((x[0] + x[1] - 2.0).abs() < 1e-9 && x[2] == 0.0, "{x:?}");
        assert!(solve(&[], &[1.0]).is_empty());
    }

    #[test]
    fn outliers_are_weighed_down() {
        let work: Vec<f64> = (1..=50).map(f64::from).collect();
        let mut y: Vec<f64> = work.iter().map(|w| 3.0 * w).collect();
        for i in [5, 20, 40] {
            y[i] *= 4.0;
        }
        let noisy: Vec<f64> = y.iter().enumerate().map(|(i, y)| y * if i % 2 == 0 { 1.01 } else { 0.99 }).collect();
        let x = relative_robust(&[work], &noisy);
        assert!((x[0] / 3.0 - 1.0).abs() < 0.02, "{x:?}");
    }

    proptest! {
        /// Karush, Kuhn, Tucker: no coefficient negative, no gradient that could still lower the error.
        #[test]
        fn solutions_are_optimal(
            values in prop::collection::vec(-5.0_f64..5.0, 8 * 5),
            y in prop::collection::vec(-5.0_f64..5.0, 8),
        ) {
            let columns: Vec<Vec<f64>> = values.chunks(8).map(<[f64]>::to_vec).collect();
            let x = solve(&columns, &y);
            let residual: Vec<f64> =
                (0..8).map(|i| y[i] - columns.iter().zip(&x).map(|(c, x)| c[i] * x).sum::<f64>()).collect();
            for (column, x) in columns.iter().zip(&x) {
                let gradient: f64 = column.iter().zip(&residual).map(|(a, r)| a * r).sum();
                prop_assert!(*x >= 0.0 && gradient < 1e-6 && (*x == 0.0 || gradient.abs() < 1e-6));
            }
        }
    }
}
