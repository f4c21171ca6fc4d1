//! Hashes by which rows are spread over folds.

use shared::random::{GOLDEN_STEP, mix};

/// The hash of a label: labels in the order of their hashes look random but are always in the same order, so that folds do not
/// follow the order of the data. A sweep's neighbours lie next to each other there. No two labels have the same hash.
#[must_use]
pub fn fold_hash(label: usize) -> u64 {
    mix((label as u64).wrapping_add(GOLDEN_STEP))
}

/// The [`fold_hash`] of each label.
#[must_use]
pub fn fold_hashes(labels: &[usize]) -> Vec<u64> {
    labels.iter().map(|label| fold_hash(*label)).collect()
}
