//! Partitions of rows into folds for cross-validation.

/// Folds that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{folds} folds cannot be made of {of} {what}")]
pub struct FoldError {
    /// Number of folds asked for.
    pub folds: usize,
    /// Number of rows or groups to distribute.
    pub of: usize,
    /// What is distributed: `rows` or `groups`.
    pub what: &'static str,
}

/// A partition of rows: every row is held out by exactly one fold.
///
/// ```
/// use estimators::Folds;
///
/// // Rows 0 and 1 belong to one network, so they stay together.
/// let folds = Folds::grouped(&["lenet", "lenet", "resnet18", "vgg16"], 2)?;
/// assert_eq!(folds.held_out(0), [0, 1]);
/// assert_eq!(folds.training(0), [2, 3]);
/// # Ok::<(), estimators::FoldError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    fold_of_row: Vec<usize>,
    count: usize,
}
impl Folds {
    /// Unshuffled folds of neighbouring rows, as scikit-learn's `KFold(n_splits, shuffle=False)`: the first `rows % folds`
    /// hold one row more.
    ///
    /// # Errors
    /// [`FoldError`] with fewer than two folds or more folds than rows.
    pub fn contiguous(rows: usize, folds: usize) -> Result<Self, FoldError> {
        if folds < 2 || folds > rows {
            return Err(FoldError { folds, of: rows, what: "rows" });
        }
        let (size, longer) = (rows / folds, rows % folds);
        let fold_of_row = (0..folds).flat_map(|fold| std::iter::repeat_n(fold, size + usize::from(fold < longer)));
        Ok(Self { fold_of_row: fold_of_row.collect(), count: folds })
    }

    /// Folds that never split a group, balanced by rows: the largest group first, each into the fold that is the
    /// lightest so far. Equal to scikit-learn's `GroupKFold(n_splits)` where labels sort alike.
    ///
    /// # Errors
    /// [`FoldError`] with fewer than two folds or more folds than groups.
    pub fn grouped<G: Ord>(groups: &[G], folds: usize) -> Result<Self, FoldError> {
        // Rows sorted by group: a group is a range of them. Every row may be a group of its own, and there may be millions.
        let mut sorted: Vec<usize> = (0..groups.len()).collect();
        sorted.sort_unstable_by(|a, b| groups[*a].cmp(&groups[*b]));
        let mut ranges: Vec<&[usize]> = sorted.chunk_by(|a, b| groups[*a] == groups[*b]).collect();
        if folds < 2 || folds > ranges.len() {
            return Err(FoldError { folds, of: ranges.len(), what: "groups" });
        }
        // Stable by size and then reversed, so of two equal groups the later label goes first.
        ranges.sort_by_key(|rows| rows.len());
        let mut rows_in_fold = vec![0; folds];
        let mut fold_of_row = vec![0; groups.len()];
        for rows in ranges.into_iter().rev() {
            let lightest = (0..folds).min_by_key(|&fold| rows_in_fold[fold]).unwrap_or(0);
            rows_in_fold[lightest] += rows.len();
            rows.iter().for_each(|&row| fold_of_row[row] = lightest);
        }
        Ok(Self { fold_of_row, count: folds })
    }

    /// Folds given by the caller: for every row the index of the fold that holds it out.
    ///
    /// # Errors
    /// [`FoldError`] with fewer than two folds, or where one of the folds from 0 to the highest index is empty.
    pub fn from_assignment(fold_of_row: Vec<usize>) -> Result<Self, FoldError> {
        let count = fold_of_row.iter().max().map_or(0, |highest| highest.saturating_add(1));
        let refused = FoldError { folds: count, of: fold_of_row.len(), what: "rows" };
        if count < 2 || count > fold_of_row.len() {
            return Err(refused);
        }
        let mut filled = vec![false; count];
        fold_of_row.iter().for_each(|&fold| filled[fold] = true);
        if filled.contains(&false) {
            return Err(refused);
        }
        Ok(Self { fold_of_row, count })
    }

    /// Number of folds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.fold_of_row.len()
    }

    /// The fold that holds out each row.
    #[must_use]
    pub fn fold_of_row(&self) -> &[usize] {
        &self.fold_of_row
    }

    /// The rows that a fold holds out, in ascending order.
    #[must_use]
    pub fn held_out(&self, fold: usize) -> Vec<usize> {
        (0..self.rows()).filter(|&row| self.fold_of_row[row] == fold).collect()
    }

    /// The rows that a fold trains on, in ascending order.
    #[must_use]
    pub fn training(&self, fold: usize) -> Vec<usize> {
        (0..self.rows()).filter(|&row| self.fold_of_row[row] != fold).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_folds_are_those_of_kfold() {
        let folds = Folds::contiguous(11, 3).expect("enough rows");
        assert_eq!(folds.fold_of_row(), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]);
        assert_eq!(folds.held_out(2), [8, 9, 10]);
        assert_eq!(folds.training(1), [0, 1, 2, 3, 8, 9, 10]);
        assert!(Folds::contiguous(3, 3).is_ok());
        assert_eq!(Folds::contiguous(2, 3), Err(FoldError { folds: 3, of: 2, what: "rows" }));
        assert!(Folds::contiguous(3, 1).is_err());
    }

    #[test]
    fn grouped_folds_are_those_of_group_kfold() {
        // GroupKFold(2) of these labels in scikit-learn 1.9.1 holds out rows 0 1 2 3 9 and rows 4 5 6 7 8.
        let groups = ["a", "a", "a", "a", "b", "b", "b", "c", "c", "d"];
        let folds = Folds::grouped(&groups, 2).expect("four groups");
        assert_eq!(folds.fold_of_row(), [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]);
        // Equal sizes: the last label is placed first.
        assert_eq!(Folds::grouped(&[1, 2, 3], 2).expect("three groups").fold_of_row(), [0, 1, 0]);
        assert_eq!(Folds::grouped(&[1, 1, 2], 3), Err(FoldError { folds: 3, of: 2, what: "groups" }));
    }

    #[test]
    fn a_given_assignment_must_fill_every_fold() {
        assert_eq!(Folds::from_assignment(vec![1, 0, 1]).expect("two folds").count(), 2);
        for bad in [vec![], vec![0, 0], vec![0, 2, 2], vec![0, usize::MAX]] {
            assert!(Folds::from_assignment(bad).is_err());
        }
    }
}
