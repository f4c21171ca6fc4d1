//! Cholesky's factorisation of small symmetric matrices.

/// The lower factor L of a symmetric, positive definite matrix: A = L·Lᵀ.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factorises a matrix, of which the lower triangle is read. None where it is not positive definite.
    pub(crate) fn of(matrix: &[Vec<f64>]) -> Option<Self> {
        let n = matrix.len();
        let mut rows = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in 0..=i {
                let sum: f64 = (0..j).map(|k| rows[i][k] * rows[j][k]).sum();
                let rest = matrix[i][j] - sum;
                if i == j {
                    if rest.is_nan() || rest <= 0.0 {
                        return None;
                    }
                    rows[i][i] = rest.sqrt();
                } else {
                    rows[i][j] = rest / rows[j][j];
                }
            }
        }
        Some(Self { rows })
    }

    /// Solves A·x = b.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for i in 0..x.len() {
            let sum: f64 = (0..i).map(|k| self.rows[i][k] * x[k]).sum();
            x[i] = (x[i] - sum) / self.rows[i][i];
        }
        for i in (0..x.len()).rev() {
            let sum: f64 = (i + 1..x.len()).map(|k| self.rows[k][i] * x[k]).sum();
            x[i] = (x[i] - sum) / self.rows[i][i];
        }
        x
    }
}

/// The scalar product of two vectors of one length.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_solution_solves(seed in proptest::collection::vec(-1.0..1.0_f64, 9), b in proptest::collection::vec(-1.0..1.0_f64, 3)) {
            let a: Vec<Vec<f64>> = (0..3).map(|i| (0..3).map(|j| {
                let product: f64 = (0..3).map(|k| seed[3 * i + k] * seed[3 * j + k]).sum();
                product + if i == j { 1.0 } else { 0.0 }
            }).collect()).collect();
            let x = Cholesky::of(&a).expect("positive definite").solve(&b);
            for (row, b) in a.iter().zip(&b) {
                prop_assert!((dot(row, &x) - b).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert!(Cholesky::of(&[vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
        assert!(Cholesky::of(&[vec![f64::NAN]]).is_none());
    }
}
