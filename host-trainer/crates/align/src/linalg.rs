//! Small dense symmetric systems.

/// A symmetric matrix, row by row, both triangles filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    /// Rows and columns.
    pub size: usize,
    /// Elements, row by row.
    pub elements: Vec<f64>,
}

/// The lower triangle L of a positive definite matrix A = L·Lᵀ.
#[derive(Debug, Clone)]
pub struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

impl Symmetric {
    /// Zeros.
    #[must_use]
    pub fn zeros(size: usize) -> Self {
        Self { size, elements: vec![0.0; size * size] }
    }

    /// The element of a row and a column.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.elements[row * self.size + column]
    }

    /// The first `size` rows and columns.
    #[must_use]
    pub fn leading(&self, size: usize) -> Self {
        let rows = self.elements.chunks(self.size.max(1)).take(size);
        Self { size, elements: rows.flat_map(|row| &row[..size]).copied().collect() }
    }

    /// The product with a vector.
    #[must_use]
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        self.elements.chunks(self.size.max(1)).map(|row| dot(row, vector)).collect()
    }

    /// Factors `self · scale + diag(diagonal)`; `None` when that is not positive definite.
    #[must_use]
    pub fn cholesky(&self, scale: f64, diagonal: &[f64]) -> Option<Cholesky> {
        let n = self.size;
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            let (above, row) = lower.split_at_mut(i * n);
            let row = &mut row[..n];
            for j in 0..i {
                let other = &above[j * n..j * n + j + 1];
                row[j] = (self.at(i, j) * scale - dot(&row[..j], &other[..j])) / other[j];
            }
            let pivot = self.at(i, i) * scale + diagonal[i] - dot(&row[..i], &row[..i]);
            if pivot.is_nan() || pivot <= 0.0 {
                return None;
            }
            row[i] = pivot.sqrt();
        }
        Some(Cholesky { size: n, lower })
    }
}

impl Cholesky {
    /// The natural logarithm of the determinant of A.
    #[must_use]
    pub fn log_determinant(&self) -> f64 {
        (0..self.size).map(|i| self.lower[i * self.size + i].ln()).sum::<f64>() * 2.0
    }

    /// Solves A·x = b.
    #[must_use]
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let n = self.size;
        let mut x = b.to_vec();
        for i in 0..n {
            let row = &self.lower[i * n..i * n + i];
            x[i] = (x[i] - dot(row, &x[..i])) / self.lower[i * n + i];
        }
        for i in (0..n).rev() {
            x[i] /= self.lower[i * n + i];
            let value = x[i];
            for (x, l) in x[..i].iter_mut().zip(&self.lower[i * n..]) {
                *x -= l * value;
            }
        }
        x
    }

    /// L, row by row, zeros above the diagonal.
    #[must_use]
    pub fn factor(self) -> Vec<f64> {
        self.lower
    }

    /// The inverse of A: L⁻ᵀ·L⁻¹, whose products skip what is zero in the triangles.
    #[must_use]
    pub fn inverse(&self) -> Symmetric {
        let n = self.size;
        let columns = self.inverse_factor();
        let mut inverse = Symmetric::zeros(n);
        for i in 0..n {
            for j in 0..=i {
                let element = dot(&columns[i * n + i..(i + 1) * n], &columns[j * n + i..(j + 1) * n]);
                inverse.elements[i * n + j] = element;
                inverse.elements[j * n + i] = element;
            }
        }
        inverse
    }

    /// The diagonal of the inverse of A.
    #[must_use]
    pub fn inverse_diagonal(&self) -> Vec<f64> {
        let columns = self.inverse_factor();
        columns.chunks(self.size.max(1)).map(|column| dot(column, column)).collect()
    }

    /// L⁻¹ column by column, zeros above the diagonal.
    fn inverse_factor(&self) -> Vec<f64> {
        let n = self.size;
        let mut columns = vec![0.0; n * n];
        for (j, column) in columns.chunks_mut(n.max(1)).enumerate() {
            column[j] = 1.0 / self.lower[j * n + j];
            for i in j + 1..n {
                let row = &self.lower[i * n..(i + 1) * n];
                column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
            }
        }
        columns
    }
}

/// Σ aᵢ·bᵢ over the shorter of both.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums at once: a single one would wait for each addition.
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let len = a.len().min(b.len()) / 4 * 4;
    for (x, y) in a4.zip(b4) {
        for i in 0..4 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f64>() + a[len..].iter().zip(&b[len..]).map(|(x, y)| x * y).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_inverted() {
        let a = Symmetric { size: 3, elements: vec![4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0] };
        let cholesky = a.cholesky(1.0, &[0.0; 3]).expect("positive definite");
        let b = a.times(&[1.0, -2.0, 3.0]);
        for (x, expected) in cholesky.solve(&b).iter().zip([1.0, -2.0, 3.0]) {
            assert!((x - expected).abs() < 1e-12);
        }
        let determinant: f64 = 4.0 * (15.0 - 1.0) - 2.0 * (6.0 - 0.6) + 0.6 * (2.0 - 3.0);
        assert!((cholesky.log_determinant() - determinant.ln()).abs() < 1e-12);
        let inverse = cholesky.inverse();
        for i in 0..3 {
            let column: Vec<f64> = (0..3).map(|r| inverse.at(r, i)).collect();
            for (r, value) in a.times(&column).iter().enumerate() {
                assert!((value - f64::from(u8::from(r == i))).abs() < 1e-12);
            }
        }
        for (i, value) in cholesky.inverse_diagonal().iter().enumerate() {
            assert!((value - inverse.at(i, i)).abs() < 1e-12);
        }
        let not_definite = Symmetric { size: 2, elements: vec![1.0, 2.0, 2.0, 1.0] };
        assert!(not_definite.cholesky(1.0, &[0.0; 2]).is_none());
    }
}
