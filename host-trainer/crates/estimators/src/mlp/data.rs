//! The table that a network is trained on.

use crate::FitError;

/// A table, or some rows of it: what a network is trained on.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// Values a row.
    pub inputs: usize,
    /// Targets a row.
    pub outputs: usize,
    /// `rows × inputs`, row after row, in their own units.
    pub rows: &'a [f64],
    /// `rows × outputs`, row after row, in their own units; NaN where a value is missing.
    pub targets: &'a [f64],
    /// The rows that count, as numbers in the table, in their order; none counts all. Whatever else numbers rows, a partition or
    /// groups, numbers those that count.
    pub chosen: Option<&'a [u32]>,
    /// The group of each row; rows of a group are never on both sides of the validation split. Empty: each row for itself.
    pub groups: &'a [usize],
}

impl<'a> Data<'a> {
    /// How many rows count.
    pub(super) fn count(&self) -> usize {
        self.chosen.map_or(self.targets.len() / self.outputs.max(1), <[u32]>::len)
    }

    /// The rows that count, as numbers in the table.
    fn numbers(self) -> impl Iterator<Item = usize> + Clone + 'a {
        (0..self.count()).map(move |row| self.chosen.map_or(row, |chosen| chosen[row] as usize))
    }

    /// The inputs of each row that counts.
    pub(super) fn inputs(self) -> impl Iterator<Item = &'a [f64]> + Clone {
        self.numbers().map(move |row| &self.rows[row * self.inputs..(row + 1) * self.inputs])
    }

    /// The targets of each row that counts.
    pub(super) fn targets(self) -> impl Iterator<Item = &'a [f64]> + Clone {
        self.numbers().map(move |row| &self.targets[row * self.outputs..(row + 1) * self.outputs])
    }

    /// Refuses a table whose parts do not fit together, and too few rows.
    pub(super) fn check(&self) -> Result<(), FitError> {
        let (count, all) = (self.count(), self.targets.len() / self.outputs.max(1));
        let fits = self.inputs > 0
            && self.outputs > 0
            && self.rows.len() == all * self.inputs
            && self.targets.len() == all * self.outputs
            && (self.groups.is_empty() || self.groups.len() == count);
        if !fits {
            return Err(FitError::Data("rows, targets and groups of a table differ in number".to_owned()));
        }
        if u32::try_from(all).is_err() {
            return Err(FitError::Data(format!("a network learns from fewer than 2^32 rows, not from {all}")));
        }
        if self.chosen.is_some_and(|chosen| chosen.iter().any(|row| *row as usize >= all)) {
            return Err(FitError::Data("a row is chosen that the table does not have".to_owned()));
        }
        if count < 2 {
            return Err(FitError::TooFewRows { found: count, needed: 2 });
        }
        Ok(())
    }
}
