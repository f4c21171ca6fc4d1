//! A table of numbers, and some rows of one.

use estimators::fold_hash;
use shared::digest::Hasher;

/// Numbers that are hashed at once.
const HASHED_AT_ONCE: usize = 1024;

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
        let mut hasher = Hasher::default();
        for name in self.inputs.iter().chain(&self.outputs) {
            hasher.update(name.as_bytes());
            hasher.update(b"\0");
        }
        let mut bytes = Vec::with_capacity(8 * HASHED_AT_ONCE);
        for numbers in self.rows.chunks(HASHED_AT_ONCE).chain(self.targets.chunks(HASHED_AT_ONCE)) {
            bytes.clear();
            bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
            hasher.update(&bytes);
        }
        hasher.hex()
    }

    /// Keeps a sample of `count` rows, always the same ones, in their order.
    ///
    /// ```
    /// let mut table = learn::tabular::sample().data;
    /// table.sample(10);
    /// assert_eq!(table.len(), 10);
    /// table.sample(1000);
    /// assert_eq!(table.len(), 10, "there are no more");
    /// ```
    pub fn sample(&mut self, count: usize) {
        let mut drawn: Vec<u32> = (0..self.len() as u32).collect();
        drawn.sort_unstable_by_key(|row| fold_hash(*row as usize));
        drawn.truncate(count);
        drawn.sort_unstable();
        keep(&mut self.rows, self.inputs.len(), &drawn);
        keep(&mut self.targets, self.outputs.len(), &drawn);
    }

    /// Some of the rows, by their numbers.
    pub(super) fn part<'a>(&'a self, numbers: &'a [u32]) -> Part<'a> {
        Part { data: self, numbers }
    }
}

/// Moves some rows, in ascending order, to the front, and gives the memory of the others back.
fn keep(values: &mut Vec<f64>, width: usize, rows: &[u32]) {
    for (place, row) in rows.iter().map(|row| *row as usize).enumerate() {
        values.copy_within(row * width..(row + 1) * width, place * width);
    }
    values.truncate(rows.len() * width);
    values.shrink_to_fit();
}

/// Some rows of a table, in the order of their numbers in a list. None are copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) data: &'a TableData,
    pub(super) numbers: &'a [u32],
}

impl<'a> Part<'a> {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The inputs of each row.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &'a [f64]> + Clone + use<'a> {
        let Self { data, numbers } = *self;
        let width = data.inputs.len();
        numbers.iter().map(move |row| &data.rows[*row as usize * width..(*row as usize + 1) * width])
    }

    /// The targets of each row.
    pub(super) fn targets(&self) -> impl Iterator<Item = &'a [f64]> + Clone + use<'a> {
        let Self { data, numbers } = *self;
        let width = data.outputs.len();
        numbers.iter().map(move |row| &data.targets[*row as usize * width..(*row as usize + 1) * width])
    }
}

#[cfg(test)]
mod tests {
    use crate::tabular::sample;

    #[test]
    fn a_sample_holds_rows_of_the_table_in_their_order_and_always_the_same() {
        let table = sample().data;
        let mut drawn = table.clone();
        drawn.sample(100);
        let rows = |data: &super::TableData| -> Vec<Vec<u64>> {
            let both = data.rows.chunks(2).zip(data.targets.chunks(2));
            both.map(|(x, y)| x.iter().chain(y).map(|x| x.to_bits()).collect()).collect()
        };
        let (all, some) = (rows(&table), rows(&drawn));
        let places: Vec<usize> =
            some.iter().map(|row| all.iter().position(|other| other == row).expect("a row of the table")).collect();
        assert!(places.len() == 100 && places.is_sorted(), "{places:?}");
        let mut again = table.clone();
        again.sample(100);
        assert_eq!(again, drawn);
    }

    #[test]
    fn the_digest_is_that_of_all_bytes_in_one() {
        let table = sample().data;
        let mut bytes: Vec<u8> = b"size_kb\0concurrency\0time_ms\0memory_mib\0".to_vec();
        bytes.extend(table.rows.iter().chain(&table.targets).flat_map(|x| x.to_le_bytes()));
        assert_eq!(table.digest(), shared::digest::sha256(&bytes));
    }
}
