//! A table of numbers.

use crate::fit::cross_validation::Subset;

/// The rows of one tag.
#[derive(Debug, Clone, PartialEq)]
pub struct TableData {
    /// The value of the tag column.
    pub tag: String,
    /// Input columns.
    pub inputs: Vec<String>,
    /// Output columns.
    pub outputs: Vec<String>,
    /// `rows × inputs`.
    pub rows: Vec<f64>,
    /// `rows × outputs`.
    pub targets: Vec<f64>,
    /// Rows that hold a zero in a column where zero means missing, whether they were kept or not.
    pub with_zeros: usize,
    /// Rows left out, since some column does not hold a number.
    pub no_numbers: usize,
    /// SHA-256 over names and numbers, in hexadecimal.
    pub hash: String,
}

impl TableData {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len() / self.outputs.len().max(1)
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// SHA-256 over names and numbers, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        let names = self.inputs.iter().chain(&self.outputs);
        let mut bytes = names.flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
        bytes.extend(self.rows.iter().chain(&self.targets).flat_map(|x| x.to_le_bytes()));
        shared::digest::sha256(&bytes)
    }

    /// Some of the rows.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        let pick = |values: &[f64], width: usize| {
            indices.iter().flat_map(|i| values[i * width..(i + 1) * width].iter().copied()).collect::<Vec<f64>>()
        };
        Self {
            rows: pick(&self.rows, self.inputs.len()),
            targets: pick(&self.targets, self.outputs.len()),
            ..self.clone()
        }
    }

    /// A sample of `count` rows, always the same ones, in their order.
    #[must_use]
    pub fn sample(&self, count: usize) -> Self {
        let order = estimators::fold_hashes(&(0..self.len()).collect::<Vec<_>>());
        let mut drawn: Vec<usize> = (0..self.len()).collect();
        drawn.sort_by_key(|i| order[*i]);
        drawn.truncate(count);
        drawn.sort_unstable();
        self.subset(&drawn)
    }
}

impl Subset for TableData {
    fn subset(&self, indices: &[usize]) -> Self {
        Self::subset(self, indices)
    }
}
