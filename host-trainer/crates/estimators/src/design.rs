//! A dense matrix stored column by column.

use rayon::prelude::*;

/// Why numbers do not form a matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The number of values is not rows × columns.
    #[error("{values} values do not fill {rows} rows of {columns} columns")]
    Values {
        /// Values given.
        values: usize,
        /// Rows stated.
        rows: usize,
        /// Columns stated.
        columns: usize,
    },
    /// One row or column is longer or shorter than the others.
    #[error("row or column {index} holds {found} values, the first holds {expected}")]
    Ragged {
        /// Index of the odd one.
        index: usize,
        /// Its length.
        found: usize,
        /// The first one's length.
        expected: usize,
    },
}

/// A matrix of `rows × columns` values in column-major order: each column's values lie next to each other, as coordinate
/// descent and the scalers read them.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Design {
    /// From values in column-major order.
    ///
    /// # Errors
    /// [`ShapeError::Values`] where `values.len()` is not `rows * columns`.
    pub fn from_column_major(rows: usize, columns: usize, values: Vec<f64>) -> Result<Self, ShapeError> {
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(ShapeError::Values { values: values.len(), rows, columns });
        }
        Ok(Self { rows, columns, values })
    }

    /// From values in row-major order.
    ///
    /// # Errors
    /// [`ShapeError::Values`] where `values.len()` is not `rows * columns`.
    pub fn from_row_major(rows: usize, columns: usize, values: &[f64]) -> Result<Self, ShapeError> {
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(ShapeError::Values { values: values.len(), rows, columns });
        }
        let mut transposed = Vec::with_capacity(values.len());
        for column in 0..columns {
            transposed.extend(values.iter().skip(column).step_by(columns));
        }
        Ok(Self { rows, columns, values: transposed })
    }

    /// From one slice a row.
    ///
    /// # Errors
    /// [`ShapeError::Ragged`] where the rows differ in length.
    pub fn from_rows<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, ShapeError> {
        let columns = rows.first().map_or(0, |row| row.as_ref().len());
        if let Some((index, odd)) = rows.iter().enumerate().find(|(_, row)| row.as_ref().len() != columns) {
            return Err(ShapeError::Ragged { index, found: odd.as_ref().len(), expected: columns });
        }
        let mut values = Vec::with_capacity(rows.len() * columns);
        for column in 0..columns {
            values.extend(rows.iter().map(|row| row.as_ref()[column]));
        }
        Ok(Self { rows: rows.len(), columns, values })
    }

    /// From one slice a column.
    ///
    /// # Errors
    /// [`ShapeError::Ragged`] where the columns differ in length.
    pub fn from_columns<C: AsRef<[f64]>>(columns: &[C]) -> Result<Self, ShapeError> {
        let rows = columns.first().map_or(0, |column| column.as_ref().len());
        if let Some((index, odd)) = columns.iter().enumerate().find(|(_, column)| column.as_ref().len() != rows) {
            return Err(ShapeError::Ragged { index, found: odd.as_ref().len(), expected: rows });
        }
        let mut values = Vec::with_capacity(rows * columns.len());
        for column in columns {
            values.extend_from_slice(column.as_ref());
        }
        Ok(Self { rows, columns: columns.len(), values })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One column.
    ///
    /// # Panics
    /// Where `index` is not below [`Design::columns`].
    #[must_use]
    pub fn column(&self, index: usize) -> &[f64] {
        assert!(index < self.columns, "column {index} of {}", self.columns);
        &self.values[index * self.rows..(index + 1) * self.rows]
    }

    /// All columns in order; each is a slice of [`Design::rows`] values.
    pub fn iter_columns(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.columns).map(|index| self.column(index))
    }

    /// One row, collected.
    ///
    /// # Panics
    /// Where `index` is not below [`Design::rows`].
    #[must_use]
    pub fn row(&self, index: usize) -> Vec<f64> {
        assert!(index < self.rows, "row {index} of {}", self.rows);
        self.values.iter().skip(index).step_by(self.rows).copied().collect()
    }

    /// The rows at these indices, in this order.
    ///
    /// # Panics
    /// Where an index is not below [`Design::rows`].
    #[must_use]
    pub fn select_rows(&self, indices: &[usize]) -> Self {
        let mut values = Vec::with_capacity(indices.len() * self.columns);
        for column in self.iter_columns() {
            values.extend(indices.iter().map(|&row| column[row]));
        }
        Self { rows: indices.len(), columns: self.columns, values }
    }

    /// The columns at these indices, in this order.
    ///
    /// # Panics
    /// Where an index is not below [`Design::columns`].
    #[must_use]
    pub fn select_columns(&self, indices: &[usize]) -> Self {
        let mut values = Vec::with_capacity(indices.len() * self.rows);
        for &index in indices {
            values.extend_from_slice(self.column(index));
        }
        Self { rows: self.rows, columns: indices.len(), values }
    }

    /// Row and column of the first value that is NaN or infinite.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<(usize, usize)> {
        // A sum over the column is finite only if all its values are, and needs no branch a value; a sum that overflows
        // is looked at again value by value.
        self.iter_columns().enumerate().find_map(|(column, values)| {
            if values.iter().sum::<f64>().is_finite() {
                return None;
            }
            values.iter().position(|value| !value.is_finite()).map(|row| (row, column))
        })
    }

    /// Changes every column in place, in parallel; the function gets a column's index and its values.
    pub(crate) fn update_columns(&mut self, change: impl Fn(usize, &mut [f64]) + Sync) {
        if self.rows > 0 {
            self.values.par_chunks_exact_mut(self.rows).enumerate().for_each(|(index, column)| change(index, column));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constructor_agrees() {
        let by_rows = Design::from_row_major(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("six values");
        assert_eq!(by_rows, Design::from_column_major(2, 3, vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).expect("six values"));
        assert_eq!(by_rows, Design::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).expect("equal rows"));
        assert_eq!(by_rows, Design::from_columns(&[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]).expect("equal columns"));
        assert_eq!(by_rows.column(1), [2.0, 5.0]);
        assert_eq!(by_rows.row(1), [4.0, 5.0, 6.0]);
        assert_eq!(by_rows.select_rows(&[1, 0, 1]).column(2), [6.0, 3.0, 6.0]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        assert_eq!(
            Design::from_column_major(2, 2, vec![0.0; 3]),
            Err(ShapeError::Values { values: 3, rows: 2, columns: 2 })
        );
        assert!(Design::from_column_major(usize::MAX, 2, vec![]).is_err());
        assert_eq!(
            Design::from_rows(&[vec![1.0], vec![1.0, 2.0]]),
            Err(ShapeError::Ragged { index: 1, found: 2, expected: 1 })
        );
    }

    #[test]
    fn a_value_that_is_not_finite_is_found_and_an_overflowing_sum_is_not_mistaken_for_one() {
        let design = Design::from_columns(&[[f64::MAX, f64::MAX], [0.0, f64::NAN]]).expect("equal columns");
        assert_eq!(design.first_not_finite(), Some((1, 1)));
        let design = Design::from_columns(&[[f64::MAX, f64::MAX]]).expect("one column");
        assert_eq!(design.first_not_finite(), None);
    }
}
