//! Hashes by which rows are spread over folds.

use shared::random::{GOLDEN_STEP, mix};

/// One hash a label: equal labels have equal hashes, and their order looks random but is always the same, so that folds do
/// not follow the order of the data. A sweep's neighbours lie next to each other there.
#[must_use]
pub fn fold_hashes(labels: &[usize]) -> Vec<u64> {
    labels.iter().map(|label| mix((*label as u64).wrapping_add(GOLDEN_STEP))).collect()
}
